// The list of bots, and the form that makes one.

import { makeBot } from "./api.js";
import { byId, copy, make } from "./dom.js";
import { words } from "./words.js";

const HUES = [262, 199, 152, 24, 340, 221];

let shown = "";

export function paintAvatar(node, bot) {
  node.textContent = (bot.name.match(/\p{L}|\p{N}/u) ?? ["?"])[0].toUpperCase();
  node.dataset.hue = HUES[bot.id % HUES.length];
}

export function showBots(bots, chosen, choose) {
  const print = JSON.stringify([bots.map((bot) => [bot.id, bot.name, bot.webhook.url !== ""]), chosen]);
  if (print === shown) return;
  shown = print;
  const rows = bots.map((bot) => makeRow(bot, bot.username === chosen, choose));
  byId("bot-list").replaceChildren(...(rows.length ? rows : [make("li", { class: "empty" }, words.noBots)]));
}

function makeRow(bot, isChosen, choose) {
  const avatar = make("span", { class: "avatar", "aria-hidden": "true" });
  paintAvatar(avatar, bot);
  const names = make("span", { class: "names" }, make("strong", {}, bot.name), make("small", {}, `@${bot.username}`));
  const light = make("span", { class: `light${bot.webhook.url ? " on" : ""}`, "aria-hidden": "true" });
  const row = make("button", { type: "button", "aria-current": isChosen ? "true" : null, onclick: () => choose(bot.username) }, avatar, names, light);
  return make("li", {}, row);
}

export function listenForNewBot(done) {
  const form = byId("new-bot-form");
  const error = form.querySelector(".form-error");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.hidden = true;
    try {
      const bot = await makeBot(form.username.value.trim(), form.elements.name.value.trim());
      showMade(bot);
      await done(bot.username);
    } catch (failure) {
      error.textContent = failure.message;
      error.hidden = false;
    }
  });
  byId("copy-token").addEventListener("click", () => copy(byId("made-token").textContent, words.copied));
  byId("copy-command").addEventListener("click", () => copy(byId("made-command").textContent, words.copied));
}

function showMade(bot) {
  byId("made-token").textContent = bot.token;
  byId("made-command").textContent = words.command;
  byId("made-bot").hidden = false;
}
