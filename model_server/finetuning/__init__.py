"""The pretrained text encoder, taught what this shop's people take together and how they ask for it."""
