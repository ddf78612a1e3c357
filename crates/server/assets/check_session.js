// The page of check_session_iframe (OpenID Connect Session Management 1.0, 3.2): a client's page asks whether the session
// is still the one it knows. It needs no server for that: the browser's state is in a cookie.
"use strict";

(() => {
  const name = document.currentScript.dataset.cookie;

  // A browser that keeps third parties' cookies apart would make every session look changed.
  const seesCookies = () => !document.hasStorageAccess || document.hasStorageAccess();

  const browserState = () => {
    const pair = document.cookie.split("; ").find((cookie) => cookie.startsWith(`${name}=`));
    return pair ? pair.slice(name.length + 1) : "";
  };

  const hash = async (text) => {
    const bytes = new Uint8Array(await window.crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
    return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  // `client_id session_state`; the latter is a hash, a dot and its salt.
  const judge = async (message, origin) => {
    if (typeof message !== "string" || !window.crypto.subtle) return "error";
    const parts = message.split(" ");
    const salt = parts.length === 2 ? parts[1].split(".")[1] : "";
    if (!parts[0] || !salt || !(await seesCookies())) return "error";
    const expected = `${await hash(`${parts[0]} ${origin} ${browserState()} ${salt}`)}.${salt}`;
    return expected === parts[1] ? "unchanged" : "changed";
  };

  window.addEventListener("message", (event) => {
    if (!event.source || event.origin === "null") return;
    judge(event.data, event.origin).then((answer) => event.source.postMessage(answer, event.origin));
  });
})();
