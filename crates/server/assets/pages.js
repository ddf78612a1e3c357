// Comfort only: every page works without this script.
"use strict";

(() => {
  const all = (selector, visit) => document.querySelectorAll(selector).forEach(visit);
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

  // What went wrong is read first.
  const focused = document.querySelector("[data-focus]");
  if (focused) focused.focus();

  // A form is sent once. Its button is not disabled: that would take `do` out of what is sent.
  const sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (sent.has(form)) {
      event.preventDefault();
      return;
    }
    const mark = (busy) => {
      all("button", (button) => {
        if (button.form === form) button.toggleAttribute("data-busy", busy);
      });
    };
    sent.add(form);
    mark(true);
    // No answer, or the person stopped waiting for it: let the form be sent again. The server tells a repeat by its nonce.
    window.setTimeout(() => {
      sent.delete(form);
      mark(false);
    }, 15000);
  });
  window.addEventListener("pageshow", (event) => {
    // Back from the browser's cache: the page is old, ask for the current step.
    if (event.persisted) window.location.reload();
  });

  // Codes: digits only, so that "123 456" can be pasted; some pages go on by themselves at the last digit.
  all("input.code", (input) => {
    const full = Number(input.dataset.digits);
    const take = (text) => {
      const digits = text.replace(/\D/g, "").slice(0, full);
      if (digits !== input.value) input.value = digits;
      if ("auto" in input.dataset && digits.length === full) {
        const spoken = document.querySelector("[data-auto-spoken]");
        if (spoken) spoken.textContent = input.dataset.auto;
        input.form.requestSubmit(input.form.querySelector("button[type=submit]"));
      }
    };
    input.addEventListener("paste", (event) => {
      const text = event.clipboardData && event.clipboardData.getData("text");
      if (!text) return;
      event.preventDefault();
      take(text);
    });
    input.addEventListener("input", (event) => {
      if (!event.isComposing) take(input.value);
    });
    // The browser may offer the code of a text message that names this host (WebOTP).
    if ("sms" in input.dataset && "OTPCredential" in window) {
      const given = new AbortController();
      input.form.addEventListener("submit", () => given.abort());
      navigator.credentials
        .get({ otp: { transport: ["sms"] }, signal: given.signal })
        .then((otp) => otp && take(otp.code))
        .catch(() => {});
    }
  });

  // Passwords can be looked at, so that they need not be typed blindly twice.
  all("input[data-show]", (input) => {
    const frame = document.createElement("span");
    const button = document.createElement("button");
    frame.className = "reveal";
    button.type = "button";
    button.className = "quiet";
    button.setAttribute("aria-controls", input.id);
    const label = () => {
      button.textContent = input.type === "password" ? input.dataset.show : input.dataset.hide;
      const name = input.labels[0] ? input.labels[0].textContent.trim() : "";
      button.setAttribute("aria-label", `${button.textContent}: ${name}`);
    };
    button.addEventListener("click", () => {
      input.type = input.type === "password" ? "text" : "password";
      label();
      input.focus();
    });
    input.form.addEventListener("submit", () => {
      input.type = "password";
    });
    label();
    input.replaceWith(frame);
    frame.append(input, button);
  });

  // A hint how good a new password is; the server decides.
  all("[data-strength]", (hint) => {
    const input = document.getElementById(hint.dataset.strength);
    if (!input) return;
    const words = hint.dataset.words.toLowerCase().split(/\s+/).filter((word) => word.length > 3);
    const rate = (text) => {
      const lower = text.toLowerCase();
      // What a common word or a run of one sign adds does not count.
      const rest = words.reduce((left, word) => left.split(word).join(""), lower).replace(/(.)\1{2,}/g, "$1");
      if ([...text].length < Number(hint.dataset.least)) return [1, hint.dataset.short];
      if (rest.length < lower.length && rest.length < 8) return [1, `${hint.dataset.weak}. ${hint.dataset.common}`];
      const score = rest.length + 2 * (new Set(rest).size > 8) + 2 * /\s/.test(rest.trim());
      if (score < 12) return [1, hint.dataset.weak];
      return score < 16 ? [2, hint.dataset.fair] : [3, hint.dataset.strong];
    };
    let timer = 0;
    input.addEventListener("input", () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => {
        const [level, text] = input.value ? rate(input.value) : [0, ""];
        hint.dataset.level = level;
        hint.textContent = text;
      }, 300);
    });
  });

  // A call is under way: ask how it stands, and go on when it was confirmed or could not be put through.
  all("[data-poll]", (shown) => {
    const next = document.querySelector("button[data-go-on]");
    let version = 0;
    let timer = 0;
    const look = async () => {
      const answer = await fetch(shown.dataset.poll, { credentials: "same-origin", cache: "no-store" });
      if (!answer.ok) return answer.status === 404 ? window.location.reload() : undefined;
      const state = await answer.json();
      version = version || state.version;
      if (state.version !== version) {
        window.location.reload();
      } else if ((state.approved || state.undeliverable) && next) {
        window.clearInterval(timer);
        shown.textContent = state.approved ? shown.dataset.approved : shown.dataset.undeliverable;
        next.form.requestSubmit(next);
      }
      return undefined;
    };
    // A network that fails for a moment is asked again.
    timer = window.setInterval(() => look().catch(() => {}), 2000);
  });

  // Recovery codes on paper.
  all("[data-print]", (place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "second";
    button.textContent = place.dataset.print;
    button.addEventListener("click", () => window.print());
    place.append(button);
  });

  // Time left of a code: seen every second, spoken a few times.
  all("[data-countdown]", (shown) => {
    const spoken = document.querySelector("[data-countdown-spoken]");
    const end = performance.now() + Number(shown.dataset.countdown) * 1000;
    let last = -1;
    let timer = 0;
    const tick = () => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      if (left === last) return;
      shown.textContent = left > 0 ? `${shown.dataset.label} ${clock(left)}` : shown.dataset.over;
      shown.classList.toggle("over", left === 0);
      if (spoken && last !== -1) {
        if (left === 0) spoken.textContent = shown.dataset.over;
        else if (left === 60 || left === 30 || left === 10) spoken.textContent = shown.dataset.spoken.replace("#", left);
      }
      last = left;
      if (left === 0) window.clearInterval(timer);
    };
    timer = window.setInterval(tick, 250);
    tick();
  });

  // A minute before the page ends for want of input, it says so.
  all("[data-idle]", (warning) => {
    const wait = Math.max(0, Number(warning.dataset.idle) - 60) * 1000;
    window.setTimeout(() => {
      warning.textContent = warning.dataset.text;
    }, Math.min(wait, 0x7fffffff));
  });

  // Applications have been told of the logout in their frames, or took too long: the browser goes on.
  const after = document.querySelector("[data-after-frames]");
  if (after) {
    const goOn = () => window.location.assign(after.href);
    window.addEventListener("load", goOn, { once: true });
    window.setTimeout(goOn, 5000);
  }

  // The answer to the application goes on its way.
  const now = document.querySelector("form[data-submit-now]");
  if (now) now.requestSubmit();
})();
