// Passkeys: the browser's own dialogue, and what comes out of it into the page's form. Needs nothing but this page.
"use strict";

(() => {
  const form = document.querySelector("form[data-passkey]");
  if (!form) return;
  const said = document.querySelector("[data-passkey-said]");
  const say = (text) => {
    if (said) said.textContent = text || "";
  };
  const toBytes = (text) => {
    const base64 = text.replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  };
  const toText = (buffer) => {
    let binary = "";
    new Uint8Array(buffer).forEach((byte) => {
      binary += String.fromCharCode(byte);
    });
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };
  const readIds = (list) => (list || []).map((item) => ({ ...item, id: toBytes(item.id) }));

  const readOptions = () => {
    const { publicKey } = JSON.parse(form.dataset.options);
    publicKey.challenge = toBytes(publicKey.challenge);
    if (publicKey.user) publicKey.user.id = toBytes(publicKey.user.id);
    if (publicKey.excludeCredentials) publicKey.excludeCredentials = readIds(publicKey.excludeCredentials);
    if (publicKey.allowCredentials) publicKey.allowCredentials = readIds(publicKey.allowCredentials);
    return { publicKey };
  };

  // What is sent: names and encodings of RegistrationResponseJSON and AuthenticationResponseJSON (WebAuthn, 5.1).
  const write = (credential) => {
    const from = credential.response;
    const response = { clientDataJSON: toText(from.clientDataJSON) };
    if (from.attestationObject) {
      response.attestationObject = toText(from.attestationObject);
      // Transports that this server knows; others would spoil the whole answer.
      const known = ["usb", "nfc", "ble", "internal", "hybrid"];
      response.transports = (from.getTransports ? from.getTransports() : []).filter((name) => known.includes(name));
    } else {
      response.authenticatorData = toText(from.authenticatorData);
      response.signature = toText(from.signature);
      response.userHandle = from.userHandle ? toText(from.userHandle) : null;
    }
    const sent = { id: credential.id, rawId: toText(credential.rawId), type: credential.type, response };
    return JSON.stringify({ ...sent, clientExtensionResults: {} });
  };

  if (!window.PublicKeyCredential || !form.dataset.options) {
    say(form.dataset.unsupported);
    return;
  }

  let isAsking = false;
  // Before the listener that lets a form be sent once: it must not see the presses that only open the dialogue.
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    const field = form.elements.credential;
    if (!button || button.value !== "verify" || field.value) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (isAsking) return;
    isAsking = true;
    say("");
    const container = navigator.credentials;
    const asked = form.dataset.passkey === "create" ? container.create(readOptions()) : container.get(readOptions());
    asked
      .then((credential) => {
        field.value = write(credential);
        form.requestSubmit(button);
      })
      .catch(() => say(form.dataset.failed))
      .finally(() => {
        isAsking = false;
      });
  });
})();
