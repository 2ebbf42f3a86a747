// Says on the page when an answer did not come: the server failed, or could not be reached.
"use strict";

const failed = () => {
  const place = document.getElementById("answer");
  const words = document.getElementById("unanswered");
  if (place && words) place.replaceChildren(words.content.cloneNode(true));
};
document.addEventListener("htmx:error", failed);
document.addEventListener("htmx:response:error", (event) => {
  if (event.detail.ctx.response.status >= 500) failed();
});
