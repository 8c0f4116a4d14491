// What the relay is asked for: cards and what lies beside them, by id. Nothing is ever sent.

/** The relay does not have it, or cannot answer. */
export class RelayError extends Error {}

async function get(path, what) {
  let answer;
  try {
    answer = await fetch(path, { headers: { accept: "application/json, application/octet-stream" } });
  } catch {
    throw new RelayError(`the relay cannot be reached for ${what}`);
  }
  if (answer.status === 404) throw new RelayError(`the relay does not have ${what}`);
  if (!answer.ok) throw new RelayError(`the relay answers ${answer.status} when asked for ${what}`);
  return answer;
}

/** A page of the list of cards. */
export async function cards(after) {
  const query = after ? `?after=${encodeURIComponent(after)}` : "";
  return (await get(`/v1/cards${query}`, "its list of cards")).json();
}

/** The bytes of a card. They are whatever the relay sent: the verifier says whether they have this id. */
export async function card(id) {
  return (await get(`/v1/cards/${id}`, `the card ${id.slice(0, 8)}…`)).arrayBuffer();
}

/** What lies beside a card. */
export async function points(id) {
  return (await get(`/v1/cards/${id}/points`, "the points of this card")).arrayBuffer();
}
