// The verifier in its worker, as two functions.

let worker;
let next = 0;
const waiting = new Map();

/** The verifier could not answer: it is not there, or it stopped. Says nothing of a proof. */
export class NoAnswer extends Error {
  constructor(message, absent) {
    super(message);
    this.absent = Boolean(absent);
  }
}

function start() {
  const started = new Worker("/worker.js");
  started.addEventListener("message", ({ data }) => {
    const call = waiting.get(data.id);
    if (!call) return;
    if (data.stage !== undefined) {
      call.stage(data.stage);
      return;
    }
    waiting.delete(data.id);
    if (data.failure !== undefined) call.reject(new NoAnswer(data.failure, data.absent));
    else call.resolve(data);
  });
  started.addEventListener("error", (event) => {
    for (const call of waiting.values()) call.reject(new NoAnswer(event.message || "the verifier cannot be started"));
    waiting.clear();
    worker = undefined;
  });
  return started;
}

function ask(call, stage = () => {}) {
  worker ??= start();
  next += 1;
  const id = next;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject, stage });
    worker.postMessage({ id, call });
  });
}

/** What the files are: `{ files, proof, card }`. */
export async function inspect(files) {
  const { answer } = await ask({ task: "inspect", files, expected: {} });
  if (!answer.inspection) throw new NoAnswer(answer.malformed);
  return answer.inspection;
}

/** Whether the proof among the files holds, and in how many milliseconds that was found. */
export async function verify(files, expected, stage) {
  const { answer, milliseconds } = await ask({ task: "verify", files, expected }, stage);
  if (!answer.report) throw new NoAnswer(answer.malformed);
  return { report: answer.report, milliseconds };
}
