"""Published file formats, one file each; `registry` lists them, `raw` is what each of them makes of a file."""
