// Conditions over the rows of a table, in the language of `hpt jobs --where`: its grammar is told in
// hpt_cli/filter/condition.py, and both are tested with the same cases. With `withWords`, as in the
// page, words that are no comparison are looked for in the row's text, joiners may be upper case, and
// names of several words need no quotes.

const COMPARISONS = {
  "==": (a, b) => a === b, "=": (a, b) => a === b, "!=": (a, b) => a !== b,
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
};
const RESERVED = ["and", "or", "not", "in"];
const MAX_DEPTH = 50;
const TOKEN = /\s*(?:(?<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\p{L}\p{N}_.]))|(?<operator>[<>=!]=|[<>=(),])|(?<text>'[^']*'|"[^"]*")|(?<word>[^\s<>=!(),'"]+))/uy;

// Returns (row) => whether it meets the condition; a row has get(name) and text. Throws an error with
// the column in the text where it is wrong.
function parseCondition(text, names, withWords = false) {
  return new ConditionParser(text, names, withWords).parse();
}

class ConditionParser {
  constructor(text, names, withWords) {
    this.text = text;
    this.names = new Set(names);
    this.withWords = withWords;
    this.tokens = [...this.split()];
    this.next = 0;
  }

  *split() {
    const end = this.text.trimEnd().length;
    for (let place = 0; place < end;) {
      TOKEN.lastIndex = place;
      const found = this.findName(place) || TOKEN.exec(this.text)?.groups || {};
      let [kind, text] = Object.entries(found).find((each) => each[1] !== undefined) || ["none"];
      const start = this.text.length - this.text.slice(place).trimStart().length;
      if (kind === "none") {
        if (!this.withWords) this.fail("this cannot be read", start);
        [kind, text] = ["word", this.text[start]];
      }
      yield { kind, text, column: start };
      place = start + text.length;
    }
    yield { kind: "end", text: "", column: end };
  }

  // A name that is no word of the grammar, where a comparison follows.
  findName(place) {
    if (!this.withWords) return null;
    const rest = this.text.slice(place).trimStart();
    const found = [...this.names].filter((name) => /[\s<>=!(),'"]/.test(name) && rest.startsWith(name)
      && /^\s*([<>=!]|(not\s+)?in\s*\()/i.test(rest.slice(name.length)));
    return found.length ? { word: found.sort((a, b) => b.length - a.length)[0] } : null;
  }

  parse() {
    if (this.withWords && this.peek().kind === "end") return () => true;
    const condition = this.parseOr(0);
    if (this.peek().kind !== "end") this.fail("'and' or 'or' is missing before this");
    return condition;
  }

  peek(ahead = 0) { return this.tokens[Math.min(this.next + ahead, this.tokens.length - 1)]; }

  is(token, ...texts) {
    const text = this.withWords ? token.text.toLowerCase() : token.text;
    return (token.kind === "word" || token.kind === "operator") && texts.includes(text);
  }

  take(...texts) {
    const token = this.peek();
    if (!this.is(token, ...texts)) return null;
    this.next += 1;
    return token;
  }

  expect(text) { if (!this.take(text)) this.fail(`'${text}' is missing here`); }

  parseOr(depth) {
    if (depth > MAX_DEPTH) this.fail("this is nested too deep");
    const parts = [this.parseAnd(depth)];
    while (this.take("or")) parts.push(this.parseAnd(depth));
    return (row) => parts.some((part) => part(row));
  }

  parseAnd(depth) {
    const parts = [this.parseNot(depth)];
    while (this.take("and")) parts.push(this.parseNot(depth));
    return (row) => parts.every((part) => part(row));
  }

  parseNot(depth) {
    let negated = false, condition;
    while (this.take("not")) negated = !negated;
    if (this.take("(")) {
      condition = this.parseOr(depth + 1);
      this.expect(")");
    } else {
      condition = this.withWords && !this.isComparison() ? this.parseWords() : this.parseComparison();
    }
    return negated ? (row) => !condition(row) : condition;
  }

  isComparison() {
    const first = this.peek();
    if (first.kind === "end" || this.is(first, "(", ")", ...RESERVED) || this.is(first, ...Object.keys(COMPARISONS))) return true;
    const after = this.is(this.peek(1), "not") ? 2 : 1;
    if (this.is(this.peek(after), "in")) return this.is(this.peek(after + 1), "(");
    return after === 1 && this.is(this.peek(1), ...Object.keys(COMPARISONS));
  }

  // Words up to the next joiner, parenthesis or comparison; what stands together is one word.
  parseWords() {
    const words = [];
    let end = -1;
    do {
      const { kind, text, column } = this.peek();
      const word = (kind === "text" ? text.slice(1, -1) : text).toLowerCase();
      if (column === end) words.push(words.pop() + word);
      else words.push(word);
      end = column + text.length;
      this.next += 1;
    } while (!this.isComparison());
    return (row) => words.every((word) => row.text.includes(word));
  }

  parseComparison() {
    const left = this.parseColumn();
    const negated = this.take("not") !== null;
    if (negated || this.is(this.peek(), "in")) {
      this.expect("in");
      const allowed = this.parseList();
      return (row) => allowed.some((each) => compareValues("==", left(row), each(row))) !== negated;
    }
    const symbol = this.take(...Object.keys(COMPARISONS));
    if (!symbol) this.fail(`a comparison is missing here: one of ${Object.keys(COMPARISONS).join(", ")}, in`);
    const right = this.parseValue();
    return (row) => compareValues(symbol.text, left(row), right(row));
  }

  parseColumn() {
    const { kind, text } = this.peek();
    if (!["word", "text"].includes(kind) || RESERVED.includes(text)) this.fail("a column's name is missing here");
    const name = kind === "text" ? text.replace(/^['"]+|['"]+$/g, "") : text;
    if (!this.names.has(name)) this.fail(`there is no column '${name}'`);
    this.next += 1;
    return (row) => row.get(name);
  }

  parseList() {
    this.expect("(");
    const values = [this.parseValue()];
    while (this.take(",")) values.push(this.parseValue());
    this.expect(")");
    return values;
  }

  parseValue() {
    const { kind, text } = this.peek();
    if (["operator", "end"].includes(kind) || RESERVED.includes(text)) this.fail("a value is missing here");
    this.next += 1;
    if (kind === "word" && this.names.has(text)) return (row) => row.get(text);
    const value = kind === "number" ? Number(text) : kind === "text" ? text.slice(1, -1) : text;
    return () => value;
  }

  fail(message, column = this.peek().column) { throw Object.assign(new Error(message), { column }); }
}

// Numbers with numbers, else text with text; what cannot be ordered is not.
function compareValues(symbol, left, right) {
  const compare = COMPARISONS[symbol];
  if (left === null || right === null) return symbol === "!=" && left !== right;
  const numbers = [left, right].map(toNumber);
  if (!numbers.includes(null)) return compare(...numbers);
  const isText = typeof left === "string" && typeof right === "string";
  if (isText || ["==", "=", "!="].includes(symbol)) return compare(foldCase(left), foldCase(right));
  return false;
}

function toNumber(value) {
  if (typeof value !== "string") return Number(value);
  const text = value.trim();
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) return Number(text);
  return /^[-+]?inf(inity)?$/i.test(text) ? (text[0] === "-" ? -Infinity : Infinity) : null;
}

// Upper case first: it makes ß and SS the same.
function foldCase(value) { return String(value).toUpperCase().toLowerCase(); }
