// The page of a session: its charts.
import { charts } from "./chart.js";

charts();
