// Runs the explorer's script over a stand-in for the browser's document and says what it did, as JSON.
const page = require("fs").readFileSync(process.argv[2], "utf8");
const data = page.match(/<script type="application\/json" id="data">([\s\S]*?)<\/script>/)[1];
const script = page.match(/<script>([\s\S]*?)<\/script>/)[1];
const drawn = {fills: 0, strokes: 0};
const context = new Proxy({fill: () => drawn.fills++, stroke: () => drawn.strokes++}, {
  get: (target, key) => target[key] ?? (() => {}), set: (target, key, value) => { target[key] = value; return true; }});

function element(tag) {
  return {
    tag, children: [], attributes: {}, style: {}, dataset: {}, handlers: {}, textContent: "",
    offsetWidth: 370, offsetHeight: 200, clientWidth: 800, clientHeight: 600,
    setAttribute(name, value) {
      if (/NaN|undefined|Infinity/.test(String(value))) throw Error(`${tag} ${name}: ${String(value).slice(0, 60)}`);
      this.attributes[name] = value;
      if (name.startsWith("data-")) this.dataset[name.slice(5)] = String(value);
    },
    append(...nodes) { this.children.push(...nodes); },
    replaceChildren() { this.children = []; },
    addEventListener(name, handler) { this.handlers[name] = handler; },
    setPointerCapture() {},
    getContext: () => context,
  };
}
const byId = {};
global.document = {
  getElementById: id => byId[id] ??= element(id), createElement: element, createElementNS: (_, tag) => element(tag)};
global.window = {devicePixelRatio: 2, addEventListener() {}};
global.innerWidth = 1400;
global.innerHeight = 900;
document.getElementById("data").textContent = data;
new Function(script)();

const [map, list, card, tip] = ["map", "list", "card", "tip"].map(document.getElementById);
const first = {points: drawn.fills, rings: drawn.strokes, clusters: list.children.length,
  notices: byId.notices.children.map(n => n.textContent)};
const at = (x, y) => ({offsetX: x, offsetY: y, clientX: x, clientY: y, pointerId: 1, preventDefault() {}, deltaY: -200});
for (let x = 0; x < 800 && tip.style.display !== "block"; x += 6)
  for (let y = 0; y < 600 && tip.style.display !== "block"; y += 6) map.handlers.pointermove(at(x, y));
first.tip = tip.style.display;
for (const value of ["rate", "cv", "patient", "cluster"]) byId.colour.handlers.change({target: {value}});
byId.only.handlers.change({target: {checked: true}});
map.handlers.wheel(at(100, 100));
map.handlers.pointerdown(at(10, 10));
map.handlers.pointermove(at(60, 10));
map.handlers.pointerup(at(60, 10));
first.heading = card.children[0].textContent;
first.strips = card.children.filter(e => e.tag === "figure").length;
list.children[0].handlers.click();
first.unpinned = card.children[0].textContent;
console.log(JSON.stringify(first));
