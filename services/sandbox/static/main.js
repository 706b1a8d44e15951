// The page: which bot and person are chosen, what changed in their chat, and what the reader does.

import * as api from "./api.js";
import { listenForNewBot, paintAvatar, showBots } from "./bots.js";
import { makeBubble } from "./bubbles.js";
import { refreshCharges } from "./charges.js";
import { byId, make, makeIcon, showAlert, toast } from "./dom.js";
import { invent, listenForPeople, readAddress, readInvitation, showPeople, writeAddress } from "./people.js";
import { words, writeWords } from "./words.js";

const LOOK_MS = 400;
const LOOK_HIDDEN_MS = 2000;
const LOOKS_PER_LIST = 3;
const SPIN_MS = 15_000;
const NEAR_END_PX = 80;

const chat = { bots: [], bot: null, person: null, change: 0, bubbles: new Map(), spinning: new Map(), isBlocked: false };
const log = byId("log");
const invitation = readInvitation();

function chooseBot(username) {
  const bot = chat.bots.find((each) => each.username === username);
  if (!bot) return;
  const remembered = bot.chats.at(-1) ?? chat.person ?? invent();
  openChat(bot, remembered);
  showView("chat");
}

function openChat(bot, person) {
  chat.bot = bot;
  chat.person = bot.chats.find((each) => each.id === person.id) ?? { first_name: invent().first_name, ...person };
  chat.change = 0;
  chat.bubbles.clear();
  log.replaceChildren(makeWelcome());
  writeAddress(bot.username, chat.person.id);
  byId("bot-name").textContent = bot.name;
  paintAvatar(byId("bot-avatar"), bot);
  showBots(chat.bots, bot.username, chooseBot);
  showPeople(bot.chats, chat.person);
}

function makeWelcome() {
  return make("div", { class: "welcome", id: "welcome" }, make("strong", {}, words.start), make("p", {}, words.startHint));
}

async function refreshBots() {
  chat.bots = await api.listBots();
  const wanted = readAddress();
  if (!chat.bot && chat.bots.length) {
    const bot = chat.bots.find((each) => each.username === (wanted.bot || invitation.bot)) ?? chat.bots[0];
    openChat(bot, wanted.chat ? { id: wanted.chat } : (bot.chats.at(-1) ?? invent()));
  }
  const fresh = chat.bots.find((each) => each.id === chat.bot?.id);
  if (fresh) {
    chat.bot = fresh;
    showPeople(fresh.chats, chat.person);
  }
  showBots(chat.bots, chat.bot?.username, chooseBot);
}

async function refreshChat() {
  if (!chat.bot) return;
  const { bot, person } = chat;
  const changes = await api.listChanges(bot.username, person.id, chat.change);
  if (chat.bot.id !== bot.id || chat.person.id !== person.id) return;
  const isFirst = chat.change === 0;
  chat.change = changes.change;
  showMessages(changes, isFirst);
  changes.answers.forEach(showAnswer);
  showState(changes);
}

function showMessages(changes, isFirst) {
  const wasAtEnd = isFirst || log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
  for (const id of changes.deleted) {
    chat.bubbles.get(id)?.remove();
    chat.bubbles.delete(id);
  }
  let added = 0;
  for (const message of changes.messages) added += putBubble(message);
  byId("welcome")?.toggleAttribute("hidden", chat.bubbles.size > 0);
  if (added && wasAtEnd) goToEnd();
  else if (added) byId("to-end").hidden = false;
}

function putBubble(message) {
  const bubble = makeBubble(message, { say, tap });
  const old = chat.bubbles.get(message.message_id);
  chat.bubbles.set(message.message_id, bubble);
  if (old) old.replaceWith(bubble);
  else log.append(bubble);
  bubble.querySelector("img")?.addEventListener("load", keepAtEnd, { once: true });
  return old ? 0 : 1;
}

function keepAtEnd() {
  if (byId("to-end").hidden) goToEnd();
}

function goToEnd() {
  log.scrollTop = log.scrollHeight;
  byId("to-end").hidden = true;
}

function showAnswer(answer) {
  stopSpinning(answer.id);
  if (!answer.text) return;
  if (answer.show_alert) showAlert(answer.text);
  else toast(answer.text);
}

function showState(state) {
  chat.isBlocked = state.is_blocked;
  const { webhook } = state;
  byId("bot-status").textContent = state.is_typing ? words.typing : `@${chat.bot.username} · ${words.bot}`;
  const failing = webhook.url && webhook.last_error_message && webhook.pending_update_count > 0;
  warn(state.is_blocked ? words.blocked : !webhook.url ? words.noWebhook : failing ? words.waiting(webhook.pending_update_count) : "");
  const button = byId("block");
  button.title = state.is_blocked ? words.unblock : words.block;
  button.setAttribute("aria-label", button.title);
  button.setAttribute("aria-pressed", String(state.is_blocked));
  button.disabled = chat.bubbles.size === 0;
}

function warn(text) {
  const box = byId("warning");
  if (box.textContent !== text) box.textContent = text;
  box.hidden = text === "";
}

async function say(text) {
  if (!chat.bot || !text.trim()) return;
  try {
    await api.say(chat.bot.username, chat.person.id, text, chat.person.first_name);
    goToEnd();
    await refreshChat();
  } catch (error) {
    toast(error.message);
  }
}

function start() {
  const isInvited = invitation.start && chat.bot?.username === invitation.bot;
  return say(isInvited ? `/start ${invitation.start}` : "/start");
}

async function tap(message, button, key) {
  try {
    const done = await api.tap(chat.bot.username, chat.person.id, message.message_id, button.text);
    const queryId = done.callback_query_id ?? done.pre_checkout_query_id;
    if (!queryId) return;
    key.classList.add("spinning");
    chat.spinning.set(queryId, key);
    setTimeout(() => stopSpinning(queryId), SPIN_MS);
  } catch (error) {
    toast(error.message);
  }
}

function stopSpinning(queryId) {
  chat.spinning.get(queryId)?.classList.remove("spinning");
  chat.spinning.delete(queryId);
}

async function toggleBlock() {
  try {
    await api.block(chat.bot.username, chat.person.id, !chat.isBlocked);
  } catch (error) {
    toast(error.message);
  }
}

function showView(view) {
  document.body.dataset.view = view;
  for (const tab of document.querySelectorAll(".tabs button")) {
    if (tab.dataset.view === view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  if (view === "chat") goToEnd();
}

function listen() {
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    say(byId("text").value);
    byId("text").value = "";
  });
  byId("block").append(makeIcon("bar"));
  byId("start").addEventListener("click", start);
  byId("block").addEventListener("click", toggleBlock);
  byId("to-end").addEventListener("click", goToEnd);
  log.addEventListener("scroll", () => {
    if (log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX) byId("to-end").hidden = true;
  });
  for (const tab of document.querySelectorAll(".tabs button")) tab.addEventListener("click", () => showView(tab.dataset.view));
  listenForPeople((person) => openChat(chat.bot, person));
  listenForNewBot(async (username) => {
    await refreshBots();
    chooseBot(username);
    showView("bots");
  });
}

// The chat is looked at each time; bots and charges change more slowly.
async function look(turn = 0) {
  try {
    if (turn % LOOKS_PER_LIST === 0) await Promise.all([refreshBots(), refreshCharges()]);
    await refreshChat();
  } catch {
    warn(words.away);
  }
  setTimeout(look, document.hidden ? LOOK_HIDDEN_MS : LOOK_MS, turn + 1);
}

writeWords();
byId("text").placeholder = words.placeholder;
byId("send").setAttribute("aria-label", words.send);
listen();
look();
