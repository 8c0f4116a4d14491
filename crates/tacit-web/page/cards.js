// The list of cards, and a card's own page.

import { bullets, command, el, facts, find, mono, table } from "./dom.js";
import * as relay from "./relay.js";
import { inspect } from "./verifier.js";

const MOST_ROWS = 60;

/** Lists the relay's cards, a page at a time. */
export async function showCards() {
  find("cards").hidden = false;
  const more = find("cards-more");
  let after;
  const next = async () => {
    more.hidden = true;
    try {
      const page = await relay.cards(after);
      find("cards-list").append(...page.cards.map(listed));
      find("cards-status").textContent = find("cards-list").children.length ? "" : "There are no cards here yet.";
      after = page.next;
      more.hidden = !after;
    } catch (e) {
      find("cards-status").textContent = `The list cannot be shown: ${e.message}.`;
      more.hidden = false;
      more.textContent = "Try again";
    }
  };
  more.addEventListener("click", next);
  await next();
}

function listed(card) {
  const link = el("a", { href: `/cards/${encodeURIComponent(card.id)}` }, card.name);
  const published = new Date(card.published_at * 1000).toISOString().slice(0, 10);
  const what = [
    `${card.weights === "public" ? "public" : "hidden"} weights`,
    `engines: ${card.engines.join(", ")}`,
    card.accepts_requests ? "answers requests" : "answers no requests here",
    "published ",
  ];
  return el(
    "li",
    {},
    el("h3", {}, link),
    el("p", { className: "small" }, what.join(" · "), el("time", { dateTime: published }, published)),
    el("p", { className: "small" }, "Owner, as the relay has it: ", mono(card.owner)),
  );
}

/** Shows the card with this id. Resolves to its bytes once the verifier found that they are this card's, or to nothing. */
export async function showCard(id) {
  const article = find("card");
  article.hidden = false;
  const title = el("h1", {}, "Card");
  const status = el("p", { role: "status" }, `Fetching card ${id.slice(0, 8)}… from the relay.`);
  article.replaceChildren(title, status);
  let bytes = null;
  let checked = null;
  let trouble = null;
  try {
    bytes = await relay.card(id);
    const found = await inspect([{ name: "card.json", bytes }]);
    checked = found.card;
    if (!checked) throw new Error(found.files[0].problem ?? "what the relay sent is no card");
    if (checked.id !== id) throw new Error(`the relay sent card ${checked.id} in its place`);
  } catch (e) {
    trouble = e;
    checked = null;
  }
  article.removeAttribute("aria-busy");
  if (bytes === null || (trouble && !trouble.absent)) {
    status.className = "alert";
    status.textContent = `This card cannot be shown: ${trouble.message}.`;
    return null;
  }
  draw(article, id, JSON.parse(new TextDecoder().decode(bytes)), checked);
  return checked && bytes;
}

function draw(article, id, card, checked) {
  const { schema } = card.architecture;
  document.title = `${card.name} · Tacit relay`;
  const hidden = card.weights !== undefined && !(checked ? checked.public_weights : typeof card.weights === "object");
  const engines = Object.keys(card.commitments);
  const url = `${location.origin}/v1/cards/${id}`;
  const unchecked = el(
    "p",
    { className: "alert" },
    "This relay carries no verifier, so nothing here was checked: neither that these bytes are the card’s nor its signature. ",
    "The command ",
    el("code", {}, "tacit inspect card.json"),
    " does.",
  );
  const parts = [
    el("p", { className: "small" }, "Card"),
    el("h1", {}, card.name),
    checked ? el("p", {}, "Its bytes have this id, and its owner’s signature holds: checked in this browser.") : unchecked,
    facts([
      ["owner", checked ? mono(checked.owner) : ["public key ", mono(String(card.owner))]],
      ["card", mono(id)],
      ["engines", engines.join(", ")],
    ]),
    el("p", { className: "small" }, "Compare the owner’s fingerprint with the one that the owner gave you by another way."),
    el("h2", {}, "What it claims"),
    el("p", {}, claimOf(schema, hidden, checked)),
    accuracies(card.quantisation),
    el("h2", {}, "What stays hidden"),
    bullets(
      [
        hidden ? "The weights: the card commits to them, and no proof shows them." : "Not the weights: their owner made them public.",
        "Whatever is computed between record and answer.",
        "In a proof about one record, as a rule, the record. The answer shows, unless the prover hides it too.",
        "Not hidden: the model’s architecture, the names and ranges below, and what a proof claims.",
        "Whoever runs the model for you sees your record.",
      ],
    ),
    el("h2", {}, "What a record is"),
    features(schema.features),
    schema.classes.length
      ? el("p", {}, "The answer is one of ", schema.classes.map((c) => c.name).slice(0, MOST_ROWS).join(", "), ".")
      : el("p", {}, "The answer is a number, not a class."),
    el("h2", {}, "Commands"),
    el("p", {}, "Fetch the card, and check a proof about it on your own machine:"),
    command(`curl -o card.json ${url}`),
    checked?.needs_points ? command(`curl -o card.points ${url}/points`) : null,
    command(`tacit verify answer.proof --card card.json --expect-card ${id}`),
    el("p", {}, "If its owner answers requests on this relay, ask for an answer on your record:"),
    command(
      `tacit patient send --relay ${location.origin} --card ${id} --pin ${checked ? checked.owner : "FINGERPRINT"} --input record.csv -o request.secret`,
    ),
  ];
  article.replaceChildren(...parts.filter(Boolean));
}

function claimOf(schema, hidden, checked) {
  const weights = checked ? `${checked.weight_count.toLocaleString("en")} ` : "";
  const read = `${schema.features.length} feature${schema.features.length === 1 ? "" : "s"}`;
  const answers = schema.classes.length ? `answers with one of ${schema.classes.length} classes` : "answers with numbers";
  return (
    `Its owner has committed to one model with ${weights}${hidden ? "hidden" : "public"} weights, which reads ${read} and ${answers}. ` +
    "A proof about this card is about that model and no other. The card itself says nothing of how good the model is: ask for an accuracy proof."
  );
}

function accuracies(quantisation) {
  const named = [
    ["the float model", quantisation?.float_accuracy],
    ["the quantised model, which is the one committed to", quantisation?.quantised_accuracy],
  ].filter(([, accuracy]) => accuracy);
  if (named.length === 0) return null;
  return el(
    "div",
    {},
    el("p", {}, "On the owner’s word alone, and proved by nothing:"),
    bullets(named.map(([what, { correct, samples }]) => `${what}: ${correct} of ${samples} right`)),
  );
}

function features(list) {
  const range = (f) => `${f.min} to ${f.max}`;
  const code = (f) => [f.code, f.system].filter(Boolean).join(", ");
  const columns = [
    ["feature", (f) => f.name],
    ["unit", (f) => f.unit ?? ""],
    ["allowed range", range, true],
    ["decimals", (f) => String(f.decimals), true],
    ["code", code],
  ].filter(([, text]) => list.some(text));
  const head = columns.map(([name]) => name);
  const numbers = columns.flatMap(([, , number], i) => (number ? [i] : []));
  const row = (f) => columns.map(([, text]) => text(f));
  const draw = (some) => table(`${list.length} features, each in its allowed range`, head, some.map(row), numbers);
  if (list.length <= MOST_ROWS) return draw(list);
  const place = el("div", {}, draw(list.slice(0, MOST_ROWS)));
  const all = el("button", { type: "button", className: "plain" }, `Show all ${list.length} features`);
  all.addEventListener("click", () => place.replaceChildren(draw(list)));
  place.append(all);
  return place;
}
