// The sandbox's JSON face. A refusal becomes an Error whose message is the sandbox's own sentence.

async function ask(path, options = {}) {
  const response = await fetch(`/sandbox/api/${path}`, options);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error?.message ?? response.statusText);
  return body;
}

const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

const chatPath = (bot, chat) => `bots/${bot}/chats/${chat}`;

export const listBots = () => ask("bots");
export const makeBot = (username, name) => post("bots", { username, name });
export const listChanges = (bot, chat, since) => ask(`${chatPath(bot, chat)}/changes?since=${since}`);
export const say = (bot, chat, text, firstName) =>
  post(`${chatPath(bot, chat)}/messages`, { text, first_name: firstName, language_code: navigator.language.toLowerCase() });
export const tap = (bot, chat, messageId, button) =>
  post(`${chatPath(bot, chat)}/taps`, { message_id: messageId, button });
export const block = (bot, chat, blocked) => post(`${chatPath(bot, chat)}/block`, { blocked });
export const listCharges = () => ask("pix");
export const dispute = (txid) => post(`pix/${txid}/disputes`, {});
export const setRefunds = (txid, mode) => post(`pix/${txid}/refunds`, { mode });
export const endReturn = (id, status) => post(`returns/${id}/${status}`, {});
export const pay = (txid, options = {}) => post(`pix/${txid}/pay`, options);
