// What two Chinese texts have in common: first by clauses, then by characters where clauses differ.

const CLAUSES = /[^，。；：！？、\n]*[，。；：！？、\n]+|[^，。；：！？、\n]+$/gu;
const LARGEST = 4e6; // cells of a table; a longer stretch counts as different as a whole

// [parts of a, parts of b]; a part is {text, same}, and those that are the same come in the same order.
export function compare(a, b) {
  const sides = [[], []];
  const put = (side, text, equal) => {
    const last = sides[side].at(-1);
    const same = equal || !text.trim();
    if (last?.same === same) last.text += text;
    else if (text) sides[side].push({ text, same });
  };
  const both = (one, two) => { put(0, one, true); put(1, two, true); };
  common(a.match(CLAUSES) ?? [], b.match(CLAUSES) ?? [], both, (one, two) =>
    common(Array.from(one.join("")), Array.from(two.join("")), both, (mine, theirs) => {
      put(0, mine.join(""), false);
      put(1, theirs.join(""), false);
    }));
  return sides;
}

// Go along a longest common subsequence; blanks do not count.
function common(a, b, same, different) {
  const key = (part) => part.replace(/\s+/g, "");
  const x = a.map(key);
  const y = b.map(key);
  let begin = 0;
  while (begin < x.length && begin < y.length && x[begin] === y[begin]) same(a[begin], b[begin++]);
  let end = 0;
  while (end < x.length - begin && end < y.length - begin && x.at(-1 - end) === y.at(-1 - end)) end++;
  middle(x.slice(begin, x.length - end), y.slice(begin, y.length - end),
    a.slice(begin, a.length - end), b.slice(begin, b.length - end), same, different);
  for (let n = end; n > 0; n--) same(a.at(-n), b.at(-n));
}

function middle(x, y, a, b, same, different) {
  if (!x.length || !y.length || x.length * y.length > LARGEST) {
    if (x.length || y.length) different(a, b);
    return;
  }
  const width = y.length + 1;
  const length = new Uint16Array((x.length + 1) * width);
  for (let i = x.length - 1; i >= 0; i--) {
    for (let j = y.length - 1; j >= 0; j--) {
      length[i * width + j] = x[i] === y[j] ? length[(i + 1) * width + j + 1] + 1
        : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  let [i, j, fromA, fromB] = [0, 0, 0, 0];
  const flush = () => {
    if (i > fromA || j > fromB) different(a.slice(fromA, i), b.slice(fromB, j));
  };
  while (i < x.length && j < y.length) {
    if (x[i] === y[j]) {
      flush();
      same(a[i], b[j]);
      [fromA, fromB] = [++i, ++j];
    } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) i++;
    else j++;
  }
  [i, j] = [x.length, y.length];
  flush();
}
