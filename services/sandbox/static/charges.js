// The side panel: the charges of the sandbox's payment provider, each with its way to be paid.

import { listCharges, pay } from "./api.js";
import { byId, copy, make, toast } from "./dom.js";
import { clock, money, words } from "./words.js";

let shown = "";

export async function refreshCharges() {
  const charges = await listCharges();
  const print = JSON.stringify(charges);
  if (print === shown) return;
  shown = print;
  const focused = document.activeElement?.dataset?.pay;
  byId("charges").replaceChildren(...(charges.length ? charges.map(makeCharge) : [make("li", { class: "empty" }, words.noCharges)]));
  if (focused) document.querySelector(`[data-pay="${CSS.escape(focused)}"]`)?.focus();
  showCount(charges.filter((charge) => charge.status === "active").length);
}

function showCount(open) {
  byId("open-charges").textContent = open;
  byId("open-charges").hidden = open === 0;
}

function makeCharge(charge) {
  const isPaid = charge.status === "paid";
  const status = isPaid ? words.paid(charge.paid.length) : words[charge.status];
  const amount = money(charge.amount_cents);
  return make(
    "li",
    { class: `charge ${charge.status}` },
    make("p", { class: "charge-head" }, make("strong", { class: "amount" }, amount), make("span", { class: "status" }, status)),
    make("p", { class: "charge-what" }, charge.description),
    make("p", { class: "charge-id" }, make("code", { title: charge.txid }, charge.txid.slice(0, 10), "…"), " · ", clock(new Date(charge.created_at))),
    make(
      "p",
      { class: "charge-buttons" },
      make(
        "button",
        {
          type: "button",
          class: isPaid ? "quiet" : "primary",
          "data-pay": charge.txid,
          "aria-label": `${isPaid ? words.payAgain : words.pay} ${amount}`,
          onclick: () => settle(charge.txid),
        },
        isPaid ? words.payAgain : words.pay,
      ),
      isPaid ? null : make("button", { type: "button", class: "quiet", onclick: () => settle(charge.txid, { times: 3 }) }, words.payThree),
      make("button", { type: "button", class: "quiet", onclick: () => copy(charge.code, words.codeCopied) }, words.copyCode),
    ),
  );
}

async function settle(txid, options) {
  try {
    await pay(txid, options);
    toast(words.paidToast);
    await refreshCharges();
  } catch (error) {
    toast(error.message);
  }
}
