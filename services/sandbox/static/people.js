// Who the reader is in the chat: a person with a name and a number, kept in the address (#bot/number).

import { byId, make } from "./dom.js";
import { words } from "./words.js";

const NAMES = ["Maria", "João", "Ana", "Pedro", "Beatriz", "Lucas"];
const ADD = "add";

let shown = "";

export function readAddress() {
  const [bot, chat] = decodeURIComponent(location.hash.slice(1)).split("/");
  return { bot: bot ?? "", chat: /^\d{1,15}$/.test(chat ?? "") ? Number(chat) : 0 };
}

// Where a tracked link leads in the sandbox: ?bot=<username>&start=<parameter>, as t.me/<username>?start=<parameter>.
export function readInvitation() {
  const told = new URLSearchParams(location.search);
  return { bot: told.get("bot") ?? "", start: told.get("start") ?? "" };
}

export function writeAddress(bot, chat) {
  history.replaceState(null, "", `${location.pathname}${location.search}#${bot}/${chat}`);
}

export function invent() {
  const id = 100_000_000 + Math.floor(Math.random() * 900_000_000);
  return { id, first_name: NAMES[id % NAMES.length] };
}

export function showPeople(people, chosen) {
  const print = JSON.stringify([people, chosen.id]);
  if (print === shown) return;
  shown = print;
  const known = people.some((person) => person.id === chosen.id) ? people : [...people, chosen];
  const options = known.map((person) => make("option", { value: person.id }, `${person.first_name} · ${person.id}`));
  byId("person").replaceChildren(...options, make("option", { value: ADD }, words.addPerson));
  byId("person").value = String(chosen.id);
}

export function listenForPeople(choose) {
  const dialog = byId("new-person");
  const form = byId("new-person-form");
  byId("person").addEventListener("change", (event) => {
    if (event.target.value !== ADD) return choose({ id: Number(event.target.value) });
    const person = invent();
    form.first_name.value = person.first_name;
    form.chat_id.value = person.id;
    shown = "";
    return dialog.showModal();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    choose({ id: Number(form.chat_id.value), first_name: form.first_name.value.trim() });
  });
  byId("cancel-person").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    shown = "";
  });
}
