// Keeps the inbox fresh and presses keys without leaving the page. Without it, the forms and the Reload link do the same.
"use strict";
(() => {
  const news = document.getElementById("news");
  const to = new URLSearchParams(location.search).get("to") || "";
  let busy = false;

  const list = () => document.getElementById("messages");

  // Cards that did not change stay as they are, so that focus, open details and frames survive.
  function show(fresh) {
    const current = list();
    const known = new Map([...current.querySelectorAll("article")].map((card) => [card.id, card]));
    const arrived = [];
    const cards = [...fresh.children].map((card) => {
      const old = known.get(card.id);
      if (old && old.dataset.revision === card.dataset.revision) return old;
      if (card.dataset.summary && old?.dataset.summary !== card.dataset.summary) arrived.push(card.dataset.summary);
      return card;
    });
    const focused = current.contains(document.activeElement) ? document.activeElement : null;
    const card = focused?.closest("article")?.id;
    const mark = focused?.value || focused?.textContent;
    current.dataset.revision = fresh.dataset.revision;
    cards.forEach((wanted, place) => {
      if (current.children[place] !== wanted) current.insertBefore(wanted, current.children[place] || null);
    });
    while (current.children.length > cards.length) current.lastElementChild.remove();
    if (focused && !focused.isConnected && card) {
      const buttons = document.getElementById(card)?.querySelectorAll("button") || [];
      const same = [...buttons].find((button) => (button.value || button.textContent) === mark);
      (same || buttons[0])?.focus();
    }
    if (arrived.length) news.textContent = arrived.join(". ");
  }

  async function refresh() {
    if (busy || document.hidden) return;
    busy = true;
    try {
      const query = new URLSearchParams({ since: list().dataset.revision });
      if (to) query.set("to", to);
      const answer = await fetch("/messages?" + query);
      if (answer.status === 200) {
        const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = parsed.getElementById("messages");
        if (fresh) show(document.adoptNode(fresh));
      }
    } catch {
      // The carrier is away; the next round tries again.
    } finally {
      busy = false;
    }
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.closest(".phone")) return;
    event.preventDefault();
    const body = new URLSearchParams();
    if (event.submitter?.name) body.set(event.submitter.name, event.submitter.value);
    try {
      await fetch(form.action, { method: "POST", body, redirect: "manual" });
    } catch {
      // Shown by the next refresh.
    }
    refresh();
  });

  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, 1500);
})();
