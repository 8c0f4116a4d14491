// Runs the verifier: WebAssembly, away from the page, so that the page stays responsive. Each call gets an instance of
// its own, whose memory goes with it. Nothing here sends anything: the one request is for the module itself.

let loading;

class Absent extends Error {}

function load() {
  loading ??= (async () => {
    const answer = await fetch("/verifier.wasm");
    if (answer.status === 404) throw new Absent("this relay carries no verifier");
    if (!answer.ok) throw new Error(`the relay answers ${answer.status} when asked for its verifier`);
    return WebAssembly.compile(await answer.arrayBuffer());
  })();
  loading.catch((e) => {
    // Somebody may try again, unless there is nothing to try.
    if (!(e instanceof Absent)) loading = undefined;
  });
  return loading;
}

function run(module, { task, files, expected }, stage) {
  let memory;
  const text = (start, length) => new TextDecoder().decode(new Uint8Array(memory.buffer, start, length));
  const imports = { tacit: { stage: (start, length) => stage(text(start >>> 0, length >>> 0)) } };
  const { exports } = new WebAssembly.Instance(module, imports);
  memory = exports.memory;
  const listed = files.map(({ name, bytes }) => ({ name, bytes: bytes.byteLength }));
  const head = new TextEncoder().encode(JSON.stringify({ task, files: listed, expected }));
  const length = files.reduce((sum, { bytes }) => sum + bytes.byteLength, 4 + head.length);
  const start = exports.tacit_room(length) >>> 0;
  const room = new Uint8Array(memory.buffer, start, length);
  new DataView(memory.buffer).setUint32(start, head.length, true);
  room.set(head, 4);
  let at = 4 + head.length;
  for (const { bytes } of files) {
    room.set(new Uint8Array(bytes), at);
    at += bytes.byteLength;
  }
  const began = performance.now();
  const answer = exports.tacit_call(start, length) >>> 0;
  const milliseconds = performance.now() - began;
  const answered = text(answer + 4, new DataView(memory.buffer).getUint32(answer, true));
  return { answer: JSON.parse(answered), milliseconds };
}

self.addEventListener("message", async ({ data: { id, call } }) => {
  let module;
  try {
    module = await load();
  } catch (e) {
    self.postMessage({ id, failure: e.message, absent: e instanceof Absent });
    return;
  }
  try {
    self.postMessage({ id, ...run(module, call, (stage) => self.postMessage({ id, stage })) });
  } catch (e) {
    // A trap: the verifier gave up, which says nothing of the proof.
    self.postMessage({ id, failure: `the verifier stopped (${e.message})` });
  }
});
