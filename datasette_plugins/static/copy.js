// Links marked data-copy put what they lead to into the clipboard; where that is not allowed they are followed instead.
const said = document.getElementById("copied");

async function copy(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || !navigator.clipboard) return;
  event.preventDefault();
  const link = event.currentTarget;
  try {
    const answer = await fetch(link.href);
    if (!answer.ok) throw new Error(String(answer.status));
    await navigator.clipboard.writeText(await answer.text());
    said.textContent = "Copied. The credential is a placeholder.";
  } catch {
    location.assign(link.href);
  }
}

for (const link of document.querySelectorAll("a[data-copy]")) link.addEventListener("click", copy);
