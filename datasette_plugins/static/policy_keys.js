// Completion in a policy file: which keys, or which values, the schema knows where the caret stands.

// The keys that lead to the caret: by indentation, and within a line by braces.
export function pathAt(before) {
  const lines = before.split("\n");
  const last = lines.pop();
  let indent = last.match(/^\s*(?:- )*/)[0].length;
  const inside = within(last.trimStart().replace(/^(?:- )+/, ""));
  const path = [];
  for (const line of lines.reverse()) {
    const found = line.match(/^(\s*(?:- )*)([\w-]+)\s*:\s*(?:#.*)?$/);
    if (found && found[1].length < indent) {
      path.unshift(found[2]);
      indent = found[1].length;
      if (indent === 0) break;
    }
  }
  return { path: [...path, ...inside.path], word: inside.word, key: inside.key };
}

// Of the last line: `key` is the one whose value is being written, if any.
function within(line) {
  const path = [];
  let pending = null;
  let word = "";
  for (const letter of line) {
    if (letter === "{") { path.push(pending ?? ""); pending = null; word = ""; }
    else if (letter === "}") { path.pop(); pending = null; word = ""; }
    else if (letter === ",") { pending = null; word = ""; }
    else if (letter === ":") { pending = word.trim(); word = ""; }
    else if (letter === "[") word = "";
    else word += letter;
  }
  return { path: path.filter(Boolean), word: word.trimStart(), key: pending };
}

function parts(schema, node) {
  if (!node) return [];
  if (node.$ref) return parts(schema, node.$ref.split("/").slice(1).reduce((at, key) => at?.[key], schema));
  return [node, ...[...(node.anyOf ?? []), ...(node.allOf ?? []), ...(node.items ? [node.items] : [])].flatMap((n) => parts(schema, n))];
}

export function known(schema, path, key) {
  let nodes = parts(schema, schema);
  for (const step of path) {
    nodes = nodes.flatMap((node) => parts(schema, node.properties?.[step] ?? (typeof node.additionalProperties === "object" ? node.additionalProperties : undefined)));
  }
  if (key === null) {
    return nodes.flatMap((node) => Object.entries(node.properties ?? {}).map(([name, value]) => ({ text: `${name}: `, name, about: value.description ?? "" })));
  }
  const values = nodes.flatMap((node) => parts(schema, node.properties?.[key]));
  return values.flatMap((node) => [...(node.enum ?? []), ...(node.const === undefined ? [] : [node.const]), ...(node.type === "boolean" ? [true, false] : [])])
    .map((value) => ({ text: String(value), name: String(value), about: "" }));
}

export function completing(text, list, url) {
  let schema = null;
  let loading = null;
  let asked = 0;
  let shown = [];
  let at = 0;
  let word = "";

  function close() {
    asked += 1;
    list.hidden = true;
    text.removeAttribute("aria-activedescendant");
  }

  function mark() {
    [...list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === at)));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    text.setAttribute("aria-activedescendant", `completion-${at}`);
  }

  function put(found) {
    text.setRangeText(found.text, text.selectionStart - word.length, text.selectionStart, "end");
    close();
    text.dispatchEvent(new Event("input"));
  }

  async function open(wanted) {
    asked += 1;
    const mine = asked;
    if (!schema) {
      loading ??= fetch(url).then((response) => response.json()).finally(() => { loading = null; });
      schema = await loading;
      if (mine !== asked) return; // more was typed meanwhile, or the list put away
    }
    const here = pathAt(text.value.slice(0, text.selectionStart));
    word = here.word;
    const seen = new Set();
    shown = known(schema, here.path, here.key)
      .filter((one) => one.name.startsWith(word) && one.name !== word && !seen.has(one.name) && seen.add(one.name)).slice(0, 40);
    if (shown.length === 0 || (!wanted && word === "")) return close();
    list.replaceChildren(...shown.map((one, n) => {
      const item = document.createElement("li");
      item.id = `completion-${n}`;
      item.setAttribute("role", "option");
      const name = document.createElement("b");
      name.textContent = one.name;
      const about = document.createElement("small");
      about.textContent = one.about;
      item.append(name, " ", about);
      item.addEventListener("mousedown", (event) => { event.preventDefault(); put(one); });
      return item;
    }));
    const style = getComputedStyle(text);
    const line = text.value.slice(0, text.selectionStart).split("\n").length;
    list.style.top = `${Math.min(text.clientHeight, line * parseFloat(style.lineHeight) + parseFloat(style.paddingTop) - text.scrollTop + 2)}px`;
    at = 0;
    list.hidden = false;
    mark();
  }

  text.addEventListener("input", (event) => { if (event.inputType?.startsWith("insert")) open(false); else close(); });
  text.addEventListener("blur", close);
  text.addEventListener("keydown", (event) => {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      open(true);
    } else if (!list.hidden && ["ArrowDown", "ArrowUp", "Enter", "Tab", "Escape"].includes(event.key)) {
      event.preventDefault();
      if (event.key === "ArrowDown") at = (at + 1) % shown.length;
      if (event.key === "ArrowUp") at = (at + shown.length - 1) % shown.length;
      if (event.key === "Escape") close();
      else if (event.key.startsWith("Arrow")) mark();
      else put(shown[at]);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.isComposing) {
      // The next line begins where this one does.
      const start = text.value.lastIndexOf("\n", text.selectionStart - 1) + 1;
      const indent = text.value.slice(start, text.selectionStart).match(/^ */)[0];
      if (indent) {
        event.preventDefault();
        text.setRangeText(`\n${indent}`, text.selectionStart, text.selectionEnd, "end");
        text.dispatchEvent(new Event("input"));
      }
    }
  });
}
