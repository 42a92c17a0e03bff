// On every page: one that has no event stream of its own listens for what the reader should know about the suite.
import { connect, isConnected } from "./stream.js";

addEventListener("DOMContentLoaded", () => {
  const { events } = document.body.dataset;
  if (events && !isConnected()) connect(events, {});
});
