// What the path names: the list of cards and the verifier, or one card and the verifier.

import { showCard, showCards } from "./cards.js";
import { startCheck } from "./check.js";

const named = location.pathname.match(/^\/cards\/([0-9a-f]{64})\/?$/);
if (named) {
  const fetched = showCard(named[1]);
  startCheck(fetched);
} else {
  startCheck();
  showCards();
}
