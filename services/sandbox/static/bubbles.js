// A Bot API Message becomes a bubble: text with its entities, picture, buttons.

import { copy, make, makeIcon } from "./dom.js";
import { clock, words } from "./words.js";

const TAGS = {
  bold: "strong",
  italic: "em",
  underline: "u",
  strikethrough: "s",
  code: "code",
  pre: "pre",
  blockquote: "blockquote",
  expandable_blockquote: "blockquote",
};

const INVOICE = "https://t.me/$"; // paid by a tap: the sandbox asks the bot and pays

const isWeb = (url) => /^https?:\/\//i.test(url);

export function makeBubble(message, actions) {
  const isBot = message.from.is_bot;
  const rows = message.reply_markup?.inline_keyboard ?? [];
  return make(
    "article",
    { class: `message ${isBot ? "theirs" : "mine"}`, "data-id": message.message_id },
    make("div", { class: `bubble${isPicture(message) ? " with-picture" : ""}` }, ...content(message, actions), foot(message)),
    rows.length ? make("div", { class: "keyboard" }, ...rows.map((row) => keyboardRow(message, row, actions))) : null,
  );
}

function content(message, actions) {
  const picture = message.photo ? makePicture(message.photo.at(-1)) : makeMedium(message);
  const text = message.text ?? message.caption ?? describeStars(message);
  const written = text ? make("div", { class: "text" }, ...write(text, message.entities ?? message.caption_entities ?? [], actions)) : null;
  const parts = [picture, written].filter(Boolean);
  return message.show_caption_above_media ? parts.reverse() : parts;
}

function describeStars(message) {
  const paid = message.successful_payment ?? message.refunded_payment;
  return paid ? (message.refunded_payment ? words.starsBack : words.starsPaid)(paid.total_amount) : "";
}

const isPicture = (message) => Boolean(message.photo || message.video || message.video_note || message.animation);
const find = (file) => `/sandbox/files/${file.file_id}`;

// A film, a sound, or a link to a file; the page plays what the browser can play.
function makeMedium(message) {
  const film = message.animation ?? message.video ?? message.video_note;
  const sound = message.voice ?? message.audio;
  if (film?.mime_type?.startsWith("image/")) return makePicture(film);
  if (film) {
    const turns = message.animation ? { autoplay: true, loop: true, muted: true } : { controls: true };
    return make("video", { class: message.video_note ? "film round" : "film", src: find(film), preload: "metadata", playsinline: true, ...turns });
  }
  if (sound) return make("audio", { class: "sound", src: find(sound), controls: true, preload: "metadata", "aria-label": sound.file_name ?? words.sound });
  return message.document ? makeFileLink(message.document) : null;
}

function makeFileLink(file) {
  const size = `${Math.max(1, Math.round(file.file_size / 1000))} kB`;
  return make("a", { class: "file", href: find(file), download: file.file_name ?? "" }, make("b", {}, file.file_name ?? words.file), ` ${size}`);
}

function makePicture(photo) {
  const source = `/sandbox/files/${photo.file_id}`;
  const image = make("img", { src: source, alt: words.picture, width: photo.width, height: photo.height });
  return make("a", { class: "picture", href: source, target: "_blank", rel: "noopener" }, image);
}

function foot(message) {
  const time = make("time", { datetime: new Date(message.date * 1000).toISOString() }, clock(message.date * 1000));
  return make("footer", {}, message.edit_date ? `${words.edited} ` : "", time);
}

// Entities nest and never cross; offsets count UTF-16 units, as JavaScript does.
export function write(text, entities, actions, start = 0, end = text.length) {
  const nodes = [];
  let position = start;
  const inside = entities.filter((entity) => entity.offset >= start && entity.offset + entity.length <= end);
  while (inside.length) {
    const entity = inside.shift();
    if (entity.offset < position) continue;
    const stop = entity.offset + entity.length;
    nodes.push(text.slice(position, entity.offset));
    const within = inside.filter((other) => other.offset >= entity.offset && other.offset + other.length <= stop);
    nodes.push(decorate(entity, text.slice(entity.offset, stop), write(text, within, actions, entity.offset, stop), actions));
    position = stop;
  }
  nodes.push(text.slice(position, end));
  return nodes.filter((node) => node !== "");
}

function decorate(entity, plain, children, actions) {
  if (entity.type === "code") return makeCopyable(plain, children);
  if (TAGS[entity.type]) return make(TAGS[entity.type], {}, ...children);
  if (entity.type === "spoiler") return makeSpoiler(children);
  if (entity.type === "bot_command") return make("button", { type: "button", class: "command", onclick: () => actions.say(plain) }, ...children);
  const url = entity.type === "text_link" ? entity.url : entity.type === "url" ? plain : "";
  return isWeb(url) ? make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...children) : make("span", {}, ...children);
}

function makeCopyable(plain, children) {
  const button = make("button", { type: "button", class: "code", title: words.copy, onclick: () => copy(plain, words.copied) });
  button.append(make("code", {}, ...children));
  return button;
}

function makeSpoiler(children) {
  const spoiler = make("button", { type: "button", class: "spoiler", onclick: () => spoiler.classList.add("shown") }, ...children);
  return spoiler;
}

function keyboardRow(message, row, actions) {
  return make("div", { class: "row" }, ...row.map((button) => makeButton(message, button, actions)));
}

function makeButton(message, button, actions) {
  const style = button.style ? ` ${button.style}` : "";
  if (button.url && isWeb(button.url) && !button.url.startsWith(INVOICE)) {
    return make("a", { class: `key${style}`, href: button.url, target: "_blank", rel: "noopener noreferrer" }, button.text, makeIcon("out"));
  }
  if (button.copy_text) {
    const onclick = () => copy(button.copy_text.text, words.codeCopied);
    return make("button", { type: "button", class: `key${style}`, onclick }, button.text, makeIcon("copy"));
  }
  const key = make("button", { type: "button", class: `key${style}`, disabled: Boolean(button.disabled) }, button.text);
  key.addEventListener("click", () => actions.tap(message, button, key));
  return key;
}
