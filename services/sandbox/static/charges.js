// The side panel: the charges of the sandbox's payment provider, each with its way to be paid.

import { dispute, endReturn, listCharges, pay, setRefunds } from "./api.js";
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
    ...(isPaid ? [makeReturnButtons(charge)] : []),
    ...charge.returns.map(makeReturn),
  );
}

// What the buyer's bank and the provider may do with money that was paid.
function makeReturnButtons(charge) {
  return make(
    "p",
    { class: "charge-buttons" },
    makeAct(words.dispute, () => dispute(charge.txid)),
    ...["done", "pending", "refused"].map((mode) => makeAct(words.refunds[mode], () => setRefunds(charge.txid, mode))),
  );
}

function makeReturn(back) {
  const said = `${words.returns[back.kind]} ${money(back.amount_cents)}: ${words.ends[back.status]}`;
  const ends = back.status === "pending" ? ["done", "void"] : [];
  const name = (end) => words.endings[back.kind === "dispute" ? `dispute-${end}` : end];
  return make(
    "p",
    { class: "charge-buttons" },
    make("span", {}, said),
    ...ends.map((end) => makeAct(name(end), () => endReturn(back.return_id, end))),
  );
}

const makeAct = (label, act) => make("button", { type: "button", class: "quiet", onclick: () => run(act, words.done) }, label);

async function run(act, said) {
  try {
    await act();
    toast(said);
    await refreshCharges();
  } catch (error) {
    toast(error.message);
  }
}

const settle = (txid, options) => run(() => pay(txid, options), words.paidToast);
