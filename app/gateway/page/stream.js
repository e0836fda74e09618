/**
 * One server-sent stream that stays open.
 *
 * EventSource reconnects by itself after a broken connection; after a refusal (an answer that is no stream: 401, 503) it
 * gives up, and a new one is opened here, with a fresh address.
 */

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;

/**
 * @param {() => Promise<string>} address
 * @param {Record<string, (data: object) => void>} handlers by the event's name
 * @param {(state: "connecting" | "live" | "broken", why?: string) => void} onState
 * @returns {() => void} closes it for good
 */
export function openStream(address, handlers, onState) {
  let source = null;
  let timer = 0;
  let pauseMs = FIRST_PAUSE_MS;
  let closed = false;

  async function open() {
    try {
      const url = await address();
      if (closed) return;
      source = new EventSource(url);
    } catch (error) {
      later(error.message);
      return;
    }
    source.onopen = () => {
      pauseMs = FIRST_PAUSE_MS;
      onState("live");
    };
    source.onerror = () => {
      if (closed) return;
      onState("broken");
      if (source.readyState === EventSource.CLOSED) later();
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (message) => handle(JSON.parse(message.data || "null")));
    }
  }

  function later(why = "") {
    if (closed) return;
    onState("broken", why);
    timer = setTimeout(open, pauseMs * (0.75 + Math.random() / 2));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }

  onState("connecting");
  open();
  return () => {
    closed = true;
    clearTimeout(timer);
    source?.close();
  };
}
