// Drop a proof: which files there are, what is missing, and the verdict.

import { bullets, command, el, facts, find, mono, size, table } from "./dom.js";
import * as relay from "./relay.js";
import { NoAnswer, inspect, verify } from "./verifier.js";

const MOST_BYTES = 1 << 29;
const TITLES = {
  holds: "✓ The claim holds",
  does_not_hold: "✗ The claim does not hold",
  unusable: "? This cannot be checked",
  refused: "⚠ Refused: not what you expect",
};
const FOR_HANDS = "tacit verify answer.proof --card card.json";

const state = { files: [], found: null, chosenCard: false, onPage: null, turn: 0 };

/** Readies the form. `pageCard` is the card of this page, once it was fetched and checked. */
export function startCheck(pageCard) {
  const form = find("check-form");
  const input = find("files");
  const drop = find("drop");
  find("check").hidden = false;
  pageCard?.then((bytes) => {
    state.onPage = bytes;
    if (bytes && state.files.length) look();
  });
  input.addEventListener("change", async () => {
    await add([...input.files]);
    input.value = "";
  });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.remove("over");
    });
  }
  document.addEventListener("drop", (event) => add([...event.dataTransfer.files]));
  find("clear").addEventListener("click", () => {
    state.files = [];
    look();
    input.focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check();
  });
}

async function add(files) {
  const large = files.find((file) => file.size > MOST_BYTES);
  if (large) {
    needs(`${large.name} is too large for a browser. Check it with: ${FOR_HANDS}`);
    return;
  }
  for (const file of files) {
    // A file chosen again takes the place of the one before.
    state.files = state.files.filter(({ name }) => name !== file.name);
    state.files.push({ name: file.name, bytes: await file.arrayBuffer() });
  }
  await look();
}

const needs = (text) => {
  find("needs").textContent = text;
};

/** The chosen files, and this page's card where none was chosen. */
function given() {
  const own = state.chosenCard || !state.onPage ? [] : [{ name: "card.json of this page", bytes: state.onPage }];
  return [...state.files, ...own];
}

/** Says what the files are and what is missing. */
async function look() {
  state.turn += 1;
  const { turn } = state;
  const verdict = find("verdict");
  verdict.hidden = true;
  verdict.replaceChildren();
  find("run").disabled = true;
  find("clear").hidden = find("chosen").hidden = state.files.length === 0;
  state.found = null;
  needs("");
  if (state.files.length === 0) {
    list([]);
    return;
  }
  try {
    const chosen = await inspect(state.files);
    state.chosenCard = Boolean(chosen.card);
    const found = chosen.card || !state.onPage ? chosen : await inspect(given());
    if (turn !== state.turn) return;
    state.found = found;
    list(chosen.files);
    needs(missing(found));
    find("run").disabled = false;
  } catch (e) {
    if (turn !== state.turn) return;
    list(state.files.map(({ name }) => ({ name })));
    needs("");
    noAnswer(e);
  }
}

function list(files) {
  const line = (file, i) => {
    const remove = el("button", { type: "button", className: "plain slim", "aria-label": `Remove ${file.name}` }, "Remove");
    remove.addEventListener("click", () => {
      state.files.splice(i, 1);
      look();
      find("files").focus();
    });
    const secret = file.secret ? " A secret of yours: it stays in this browser, and nobody else should have it." : "";
    const what = file.problem ?? (file.use_of ? `taken for ${file.use_of}.` : `not needed here (${file.kind}).`);
    return el(
      "li",
      {},
      mono(file.name),
      el("span", { className: "small" }, size(state.files[i].bytes.byteLength)),
      el("span", { className: "small grow" }, file.kind ? what + secret : ""),
      remove,
    );
  };
  find("chosen-list").replaceChildren(...files.map(line));
}

function missing({ proof, files }) {
  if (!proof) return files.some((file) => file.problem) ? "" : "There is no proof among these files yet.";
  if (!proof.checked_here) {
    return `Proofs of the ${proof.engine} engine need a setup, and are not checked in a browser. Use: ${FOR_HANDS}`;
  }
  const texts = {
    card: `The card ${proof.card_id.slice(0, 8)}… is not among the files: it will be fetched from this relay, which then learns that somebody looks at it. Or choose card.json.`,
    points: "The card’s points will be fetched from this relay. Or choose card.points.",
    data: "The claim is about a test set: choose that file too.",
    model: "The weights are public: choose the model file too.",
  };
  return proof.missing.map((what) => texts[what]).join(" ");
}

/** The files, with what the relay has of what is missing. */
async function complete(stage) {
  let files = given();
  let fetched = false;
  let { proof } = state.found;
  if (proof?.checked_here && proof.missing.includes("card") && !state.found.card) {
    stage("fetching the card from this relay");
    files = [...files, { name: "card.json from this relay", bytes: await relay.card(proof.card_id) }];
    fetched = true;
    const found = await inspect(files);
    if (found.card?.id !== proof.card_id) throw new relay.RelayError("the relay sent something else than the card that the proof names");
    proof = found.proof;
  }
  if (proof?.missing.includes("points")) {
    stage("fetching the card’s points from this relay");
    files = [...files, { name: "card.points from this relay", bytes: await relay.points(proof.card_id) }];
    fetched = true;
  }
  return { files, fetched };
}

async function check() {
  if (!state.found) return;
  const { turn } = state;
  const stage = (text) => {
    find("progress").textContent = `${text[0].toUpperCase()}${text.slice(1)}…`;
  };
  const expected = {};
  for (const field of document.querySelectorAll("[data-expected]")) {
    if (field.value.trim()) expected[field.dataset.expected] = field.value.trim();
  }
  find("run").disabled = true;
  stage("checking");
  try {
    const { files, fetched } = await complete(stage);
    const { report, milliseconds } = await verify(files, expected, stage);
    if (turn === state.turn) show(report, milliseconds, fetched);
  } catch (e) {
    if (turn !== state.turn) return;
    if (e instanceof relay.RelayError) {
      show({ verdict: "unusable", reason: e.message, advice: "choose card.json, and card.points if there is one, as the card’s owner published them" });
    } else {
      noAnswer(e);
    }
  } finally {
    find("progress").textContent = "";
    if (turn === state.turn) find("run").disabled = false;
  }
}

/** The verifier is not there or stopped. */
function noAnswer(e) {
  if (!(e instanceof NoAnswer)) throw e;
  const reason = e.absent
    ? "this relay carries no verifier for browsers; the command does the same"
    : `${e.message}; this says nothing of the proof`;
  show({ verdict: "unusable", reason, advice: null, byHand: true });
}

function show(report, milliseconds, fetched) {
  const verdict = find("verdict");
  const title = el("h3", { id: "verdict-title", tabIndex: -1 }, TITLES[report.verdict]);
  const part = (name, items) => (items?.length ? [el("h4", {}, name), bullets(items)] : []);
  const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
  verdict.className = report.verdict;
  verdict.replaceChildren(
    title,
    ...[
      report.claim && el("blockquote", {}, report.claim),
      report.reason && el("p", {}, sentence(report.reason)),
      report.advice && el("p", {}, `What to do: ${report.advice}.`),
      report.byHand && command(FOR_HANDS),
      report.answer && answered(report.answer),
      ...part("Stays hidden", report.hidden),
      ...part("Nobody vouches for it", report.unvouched),
      ...part("Left for you to judge", report.notes),
      report.figures?.length && el("h4", {}, "Figures"),
      report.figures?.length && figures(report, milliseconds, fetched),
    ].filter(Boolean),
  );
  verdict.hidden = false;
  title.focus();
}

function answered({ class: name, outputs, opened }) {
  const whole = outputs.some((output) => output.probability);
  const head = ["", "claimed logit", ...(whole ? ["probability computed from it"] : [])];
  if (!whole) head[1] = "claimed value";
  const rows = outputs.map((o) => [o.name, o.value, ...(whole ? [o.probability ?? ""] : [])]);
  const shown = table("The model’s outputs", head, rows, [1, 2]);
  outputs.forEach((output, i) => {
    if (name && output.name === name) shown.querySelectorAll("tbody tr")[i].className = "chosen";
  });
  const said = name ? ["The answer is ", el("strong", {}, name), opened ? ", which the proof hides and you have the opening of." : "."] : [];
  return el("div", {}, el("h4", {}, "Answer"), el("p", {}, said), shown);
}

function figures(report, milliseconds, fetched) {
  const pairs = report.figures.map(({ name, value }) => [name, /^(tacit1|sha256:|[0-9a-f]{16})/.test(value) ? mono(value) : value]);
  pairs.push(["checked in", `${milliseconds.toFixed(0)} ms, in this browser`]);
  const here = state.chosenCard ? "you" : "this page; it has the id that the proof names";
  pairs.push(["card from", fetched ? "this relay; it has the id that the proof names" : here]);
  return facts(pairs);
}
