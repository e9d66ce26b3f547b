// Parts of the page are sent anew as they change; without this they are as old as the page.
"use strict";

const lost = document.getElementById("connection");
const events = new EventSource("/status/events" + location.search);

for (const part of ["totals", "fills", "mirrors", "plots", "ahead"]) {
  events.addEventListener(part, (event) => {
    const place = document.getElementById(part);
    if (place) place.innerHTML = event.data;
  });
}
events.addEventListener("open", () => { lost.hidden = true; });
events.addEventListener("error", () => { lost.hidden = false; });
