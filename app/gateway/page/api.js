/** The gateway's HTTP API as the page needs it: one place that knows paths, errors and the key. */

const RETRY_FOR_MS = 60_000;
const KEY_SLOT = "riverrun.key"; // sessionStorage: gone with the tab
const TOKEN_TTL_S = 900;

/** What the gateway answered that is no success; `status` is 0 where nobody answered. */
export class ApiError extends Error {
  constructor(status, code, message, retryAfterS = 1) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }

  /** Whether the same request may succeed a moment later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

/** @param {() => Promise<string>} askForKey is called when the gateway wants an API key that the page has not got. */
export function makeApi(askForKey) {
  let asking = null;

  async function request(path, options = {}) {
    const key = sessionStorage.getItem(KEY_SLOT);
    const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    const answer = await reach(path, { ...options, headers });
    if (answer.ok) return answer.json();
    const error = await errorOf(answer);
    if (error.status !== 401 && error.status !== 403) throw error;
    asking ??= askForKey(Boolean(key)).finally(() => (asking = null));
    sessionStorage.setItem(KEY_SLOT, await asking);
    return request(path, options);
  }

  const post = (path, body) =>
    request(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

  return {
    get: request,

    /** Send events until the gateway has them; safe, for an event that comes twice is known by its id. */
    async send(events, onWaiting) {
      const stopAt = performance.now() + RETRY_FOR_MS;
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await post("/v1/events", events);
        } catch (error) {
          if (!error.passing || performance.now() > stopAt) throw error;
          onWaiting(error);
          await pause(Math.max(error.retryAfterS * 1000, Math.min(250 * 2 ** attempt, 4000)));
        }
      }
    },

    /** An address for EventSource, which cannot send headers: with a short-lived token where there is a key. */
    async streamAddress(path, userId) {
      if (!sessionStorage.getItem(KEY_SLOT)) return path;
      const { token } = await post("/v1/tokens", { user_id: userId, ttl_s: TOKEN_TTL_S });
      return `${path}${path.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`;
    },
  };
}

/** The address of a user's part of the API. */
export function userPath(userId, rest) {
  return `/v1/users/${encodeURIComponent(userId)}/${rest}`;
}

async function reach(path, options) {
  try {
    return await fetch(path, { ...options, cache: "no-store" });
  } catch {
    throw new ApiError(0, "away", "The gateway does not answer.");
  }
}

async function errorOf(answer) {
  const retryAfterS = Number(answer.headers.get("Retry-After")) || 1;
  try {
    const { error } = await answer.json();
    return new ApiError(answer.status, error.code, error.message, retryAfterS);
  } catch {
    return new ApiError(answer.status, "unknown", `The gateway answered ${answer.status}.`, retryAfterS);
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
