// The page of a session: its charts, and the turn that was asked for, which has the focus, at the top.
import { charts } from "./chart.js";

charts();
document.querySelector(".step[data-wanted]")?.scrollIntoView({ block: "start" });
