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

  // The answer to the application goes on its way.
  const now = document.querySelector("form[data-submit-now]");
  if (now) now.requestSubmit();
})();
