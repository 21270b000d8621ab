export interface SvgElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** All text inside of it, one for each element that holds some. */
  readonly texts: readonly string[];
}

/** The elements of an SVG document in order; throws where it is not well-formed. */
export function elementsOf(svg: string): SvgElement[] {
  const elements: { name: string; attributes: Map<string, string>; texts: string[] }[] = [];
  const open: typeof elements = [];
  let rest = svg.trim();
  while (rest !== "") {
    const [token = "", closing, name = "", attributes = "", empty, text] =
      /^<(\/?)([\w]+)((?: [\w-]+="[^"<]*")*)(\/?)>|^([^<]+)/.exec(rest) ?? [];
    if (token === "") throw new Error(`not well-formed: ${rest.slice(0, 60)}`);
    rest = rest.slice(token.length);
    if (text !== undefined) {
      if (/&(?!(?:amp|lt|gt|quot);)/.test(text)) throw new Error(`not well-formed: ${text}`);
      for (const element of open) element.texts.push(plain(text));
    } else if (closing === "/") {
      const last = open.pop();
      if (last?.name !== name) throw new Error(`</${name}> closes <${last?.name}>`);
    } else {
      const pairs = [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)];
      const element = {
        name,
        attributes: new Map(pairs.map(([, key = "", value = ""]) => [key, plain(value)])),
        texts: [],
      };
      elements.push(element);
      if (empty !== "/") open.push(element);
    }
  }
  if (open.length > 0) throw new Error(`<${open[0]?.name}> is not closed`);
  return elements;
}

function plain(text: string): string {
  return text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
