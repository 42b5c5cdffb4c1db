"""Names of persons in a text, most of them in running prose.

In goes a piece, out come spans of kind ``person``. A string that looks like a name (surname, then one
or two characters that names are made of) is a name only where its place says so: a role, a label or a
verb that takes a person before it, a title or something only a person does behind it, an enumeration
of names, the line of a signature. Once a name is known by such evidence, its other occurrences in the
piece are spans too. Of a surname with a title (王主任) the surname alone is the span. Names that
everyone knows are left. No model, no state: the same text gives the same spans.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from fanwen.cleaners import rules
from fanwen.cleaners.types import Span

_HAN = "㐀-䶿一-鿿"
# How much is enough: what stands on both sides, the surname and the given name together.
_ENOUGH = 4
_ROLE, _TITLE, _PLACE = 4, 4, -5
_SEPARATORS = "、和与及"
_LONGEST = 60  # names in one enumeration


@dataclass(frozen=True, slots=True)
class _Lexicon:
    """The word lists of names.toml as sets, and the patterns made of them."""

    plain: frozenset[str]
    doubtful: frozenset[str]
    rare: frozenset[str]
    compound: frozenset[str]
    seldom_alone: frozenset[str]
    never_alone: frozenset[str]
    strong: frozenset[str]
    listed: frozenset[str]
    never: frozenset[str]
    seldom_last: frozenset[str]
    given_words: frozenset[str]
    places_last: frozenset[str]
    place_ends: frozenset[str]
    no_given: frozenset[str]
    joins: frozenset[str]
    no_name: frozenset[str]
    words: frozenset[str]  # of no_name what is never the whole of a name
    both: frozenset[str]
    before: frozenset[str]
    roles: frozenset[str]
    no_role: frozenset[str]
    takers: frozenset[str]
    titles: frozenset[str]
    follows: frozenset[str]
    labels: frozenset[str]
    places: frozenset[str]
    famous: frozenset[str]
    shared: frozenset[str]
    public: re.Pattern[str]
    scan: re.Pattern[str]
    item: re.Pattern[str]
    label: re.Pattern[str]
    intro: re.Pattern[str]
    alone: re.Pattern[str]
    parts: frozenset[str]
    part: re.Pattern[str]
    foreign: re.Pattern[str]
    doubled: re.Pattern[str]
    sensitive: re.Pattern[str]
    fiction: re.Pattern[str]


@cache
def _lexicon() -> _Lexicon:
    data = rules.table("names.toml")

    def words(section: str, key: str) -> frozenset[str]:
        return frozenset(data[section][key].split())

    plain, doubtful, rare = (words("surname", k) for k in ("plain", "doubtful", "rare"))
    compound = words("surname", "compound")
    strong, never, roles = words("given", "strong"), words("given", "never"), words("context", "roles")
    listed = strong | words("given", "plausible")
    usual = "".join(sorted(plain | doubtful))
    seldom = "".join(sorted(rare))
    single = usual + seldom
    double = rules.any_of(compound)
    doubles = "".join(sorted({name[0] for name in compound}))
    seconds = "".join(sorted({name[1] for name in compound}))
    surname = f"(?:(?=[{doubles}]){double}|[{single}])"
    tails = "|".join(f"(?<={name[0]}){name[1]}" for name in sorted(compound))
    alone = words("context", "alone")
    firsts = "".join(sorted({title[0] for title in alone}))  # most positions fail on one character
    given = f"[{''.join(sorted(listed - never))}]"
    free = f"(?![{''.join(sorted(never))}])[{_HAN}]"
    # after a role or in an enumeration a name may hold characters that names seldom hold
    open_left = "".join(sorted({role[-1] for role in roles} | {"、", "·"}))
    parts = words("foreign", "parts")
    part = rules.any_of(parts)
    return _Lexicon(
        plain=plain,
        doubtful=doubtful,
        rare=rare,
        compound=compound,
        seldom_alone=words("surname", "seldom_alone"),
        never_alone=words("surname", "never_alone"),
        strong=strong,
        listed=listed,
        never=never,
        seldom_last=words("given", "seldom_last"),
        given_words=words("given", "words"),
        places_last=words("given", "places_last"),
        place_ends=words("given", "place_ends"),
        no_given=words("given", "no_given"),
        joins=words("given", "joins"),
        no_name=words("words", "no_name"),
        words=words("words", "no_name") - words("words", "both") - compound,
        both=words("words", "both"),
        before=words("words", "before"),
        roles=roles,
        no_role=words("words", "no_role"),
        takers=words("context", "takers"),
        titles=words("context", "titles"),
        follows=words("context", "follows"),
        labels=words("context", "labels"),
        places=words("context", "places"),
        famous=words("famous", "names"),
        shared=words("famous", "shared"),
        public=re.compile(rules.any_of(words("famous", "public")) + "$"),
        # begins with a set of characters, which is searched for fastest
        scan=re.compile(
            f"[{single}{doubles}](?<!〔.)(?:(?={given})(?:(?<=[{usual}])|(?<=[{open_left}和与及].))"
            f"|(?<=[{open_left}][{usual}])(?={free})|(?<=[{doubles}])(?=[{seconds}]))"
        ),
        item=re.compile(f"({surname})(?:[ 　]{{1,4}}({free})(?![{_HAN}])|({free}(?:{free})?))"),
        intro=re.compile(f"{rules.any_of(words('context', 'intro'))}(?=[{single}])"),
        label=re.compile(
            f"[:：][ 　\t]{{0,8}}(?=[{single}{doubles}{''.join(sorted({p[0] for p in parts}))}])"
        ),
        alone=re.compile(
            f"([{single}{doubles}](?<!〔.)(?:(?=[{seconds}])(?:{tails})|(?<=[{single}])))"
            f"(?=[{firsts}]){rules.any_of(alone)}(?![期远短效途假])"
        ),
        parts=parts,
        part=rules.searchable(part),
        doubled=re.compile(f"([{''.join(sorted(words('given', 'doubled')))}])\\1(?!\\1|[地的])"),
        foreign=re.compile(
            f"(?:[{_HAN}]{{2,5}}·)?{part}(?:·?{part}|·[{_HAN}]{{2,6}}?(?![{_HAN}]))*|{part}·[{_HAN}]{{2,5}}"
        ),
        sensitive=re.compile(rules.any_of(words("context", "sensitive"))),
        fiction=re.compile(f"{rules.any_of(words('context', 'fiction'))}(?=[{single}])"),
    )


def find(text: str) -> list[Span]:
    """Spans of kind ``person`` in the order of the text; ``value`` is the whole name where a part stands."""
    lexicon = _lexicon()
    found: dict[int, int] = {}
    for begin, end in (*_labelled(text, lexicon), *_signed(text, lexicon), *_foreign(text, lexicon)):
        found.setdefault(begin, end)
    for begin, end in _in_prose(text, lexicon):
        found.setdefault(begin, end)
    public = _made_up(text, found, lexicon)
    found = {b: e for b, e in found.items() if text[b:e] not in public}
    known = {text[b:e]: None for b, e in sorted(found.items())}
    spans = [Span("person", b, e, text[b:e].replace(" ", "").replace("　", "")) for b, e in found.items()]
    spans += _again(text, known, lexicon)
    spans += [Span("person", b, e) for b, e in _doubled(text, lexicon)]
    spans += [Span("person", b, e) for b, e in _with_title(text, lexicon)]
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.begin, -s.end)):
        if not kept or span.begin >= kept[-1].end:
            value = span.value if span.value != text[span.begin : span.end] else None
            kept.append(Span("person", span.begin, span.end, value))
    return kept


def is_whole(name: str) -> bool:
    """Whether a name found once is the same person wherever it stands: no surname alone, no word."""
    lexicon = _lexicon()
    return len(name) > 2 or (len(name) == 2 and name not in lexicon.both and name not in lexicon.no_name)


def _made_up(text: str, found: Mapping[int, int], lexicon: _Lexicon) -> frozenset[str]:
    """The names of figures and authors of a book or film that the text speaks of, as it calls them so."""
    if "《" not in text:
        return frozenset()
    places = (
        m.end()
        for m in lexicon.fiction.finditer(text)
        if "《" in text[max(0, m.start() - 400) : m.end() + 40]
    )
    return frozenset(text[at : found[at]] for at in places if at in found)


# -- evidence -------------------------------------------------------------------------------------

_COLLECTIVE = re.compile(
    r"等?(?:[0-9０-９一二三四五六七八九十几两多]{1,4}[余多]?(?:名|位|个)(?:优秀|贫困|残疾)?"
    r"(?:同|学|老|教|职|员|党|村|居|干|队|选|小|孩|志|代|家|医|护|残|困|青|新|战)"
    r"|(?<=等)[0-9０-９一二三四五六七八九十几两多]{1,4}[余多]?(?:名|位|人|个|户)"
    r"|(?<=等)(?:人|同志|同学|老师|教师|一行|领导|党员|干部|村民|群众|学生|员工|职工|家长|专家|医生|队员|代表|骨干|志愿者))"
)
_PARTICULARS = re.compile(
    r"[，,（( ]{1,2}(?:男|女|汉族|现年|化名|身份证|今年(?:[0-9]{1,3}|[一二三四五六七八九十]{1,3}(?:多|几)?)岁"
    r"|[0-9]{1,3}岁|[一二三四五六七八九十]{1,3}岁|(?:19|20)[0-9]{2}年[^，。\n]{0,8}生|本页无正文|签[字名章]|手印)"
)
_BELONGS = re.compile(
    r"(?:我是|来自|家住|住在|班|部|科|处|组|系|学院|小学|中学|学校|公司|单位|年级|街道|社区|村)[^，。！？；：\n]{0,16}的$"
)
_OPEN = " 　\n\t，,。.！!？?；;：:“”\"'‘’（(《【[)）…—-0123456789"
_COUNTED = "等一二三四五六七八九十几两"
_SELF = re.compile(r"(?:我是|我叫|我来自|来自)[^，。！？；：\n]{0,16}的$")
_GROUPS = "班组级院村镇部处科校队乡县"


def _left(text: str, at: int, lexicon: _Lexicon) -> int:
    """What stands before ``at``: 4 a role, 3 a belonging, 1–2 a verb or a pause, −2 an unknown word."""
    if at == 0:
        return 1
    behind = text[max(0, at - 6) : at]
    for n in range(len(behind), 0, -1):
        if behind[-n:] in lexicon.roles and (n > 1 or behind[-2:] not in lexicon.no_role):
            return _ROLE
    for n in range(min(3, len(behind)), 1, -1):
        if behind[-n:] in lexicon.takers:
            return 2
    last = behind[-1]
    if last.isdigit():  # 12张, 3楼
        return -3
    if last in lexicon.takers or last in _OPEN or last == "、":
        return 1
    if last == "的":
        if _SELF.search(text, max(0, at - 28), at):
            return _ROLE
        return 3 if _BELONGS.search(text, max(0, at - 28), at) else 0
    return 1 if last in _GROUPS else -2


def _right(text: str, end: int, lexicon: _Lexicon) -> int:
    """What stands behind ``end``: 4 a title, 3 a group, 2 a deed, 1 a pause, −1 unknown, −5 a place."""
    ahead = text[end : end + 4]
    if not ahead or ahead[0] in "〔·":
        return 1 if not ahead else _PLACE if ahead[0] == "·" else 0
    if not "一" <= ahead[0] <= "鿿":
        return _TITLE if _PARTICULARS.match(text, end) else 1
    for n in range(len(ahead), 0, -1):
        if ahead[:n] in lexicon.titles:
            return 2 if n == 1 and ahead[:2] not in lexicon.places else _TITLE if n > 1 else _PLACE
    if ahead[0] in _COUNTED and _COLLECTIVE.match(text, end):
        return 3
    for n in range(len(ahead), 1, -1):
        if ahead[:n] in lexicon.follows:
            return 2
    for n in range(len(ahead), 0, -1):
        if ahead[:n] in lexicon.places:
            return _PLACE
    if ahead[0] in lexicon.follows:
        return 2 if ahead[0] in "说笑哭患" else 1
    return 1 if ahead[0] in "和与及的" else -1


@dataclass(frozen=True, slots=True)
class _Candidate:
    """``text[begin:end]`` looks like a name; ``shape`` is what its characters alone are worth."""

    begin: int
    end: int
    left: int
    right: int
    shape: int
    sure: bool  # needs evidence on one side only
    full: int  # 3: three characters; 4: and nothing in them but what names are made of

    @property
    def score(self) -> int:
        return self.left + self.right + self.shape

    def holds(self, left: int, right: int, bonus: int) -> bool:
        """Whether this is a name if ``left`` and ``right`` stood around it."""
        total = left + right + self.shape + bonus
        if self.sure and self.full >= 4 and left >= -2:  # 王梓涵 is a name wherever it stands
            return True
        if left >= 0 and right >= 1 and ((self.full and self.shape >= 1) or (self.sure and self.shape >= 2)):
            return True  # 李建国, 高春燕 and 张敏 need no more than pauses around them
        if total < _ENOUGH:
            return False
        if self.sure:
            return left >= 2 or right >= 2 or (left >= 1 and (right >= 1 or self.shape >= 4))
        if left >= _ROLE and right >= 0 and self.shape >= 0:
            return True
        return (
            (left >= 2 and right >= 1)
            or (right >= 2 and left >= 1)
            or (right >= 3 and left >= 0)
            or right >= _TITLE
        )


def _rank(c: _Candidate) -> tuple[bool, int, int]:
    """Of two strings from the same place: the one that is a name by itself, the surer, the longer."""
    return c.holds(c.left, c.right, 0), c.score, c.end


def _shapes(text: str, begin: int, left: int, lexicon: _Lexicon) -> Iterator[tuple[int, int, bool, int]]:
    """(end, worth, sure, full) of the strings from ``begin`` that may be a name."""
    two, three = text[begin : begin + 2], text[begin : begin + 3]
    # 镇长|孙: a role that ends inside is no double surname
    size = 2 if two in lexicon.compound and text[begin - 1 : begin + 1] not in lexicon.roles else 1
    surname = text[begin : begin + size]
    plain = size == 2 or surname in lexicon.plain
    rare = surname in lexicon.rare
    if not (plain or rare or surname in lexicon.doubtful):
        return
    if three in lexicon.famous or text[begin : begin + 4] in lexicon.famous:
        return
    if text[begin + size : begin + size + 2] in lexicon.titles:
        return
    quoted = two in lexicon.famous  # 郭靖, but not 郭靖宇
    if quoted and lexicon.public.search(text[max(0, begin - 4) : begin]):
        return
    word = (size == 1 and two in lexicon.no_name) or three in lexicon.no_name
    both = two in lexicon.both
    for end in (begin + size + 1, begin + size + 2):
        given = text[begin + size : end]
        if len(given) < end - begin - size or any(c in lexicon.never or not "㐀" <= c <= "鿿" for c in given):
            return
        strange = sum(c not in lexicon.listed for c in given)
        if strange and left < _ROLE:
            return
        if (quoted and len(given) == 1 and two not in lexicon.shared) or (rare and (strange or word)):
            continue
        if word and not (both and len(given) == 1):
            odd = strange or len(given) == 1 or given[1] not in lexicon.strong or size == 2
            odd = odd or lexicon.alone.match(text, end - 1) is not None  # 车间|林班长
            if odd or not (plain or left >= 1):
                continue
        if given in lexicon.no_given:
            continue
        good = sum(c in lexicon.strong for c in given)
        worth = good - 2 * strange + (2 if size == 2 else 1 if plain else -1)
        worth += (len(given) == 2 and not strange) + (given in lexicon.given_words)
        both_good = good == 2 and not (plain or rare)  # 游泽宇: a doubtful surname, but nothing else in it
        worth += 2 * both_good - (rare and not good)
        # 罗娟|向 and 上官婉|正: what may end a name, but seldom does
        # 莫州, 范阳郡
        placed = given in lexicon.places_last or (len(given) == 2 and given[1] in lexicon.place_ends)
        joined = given[-1] in lexicon.seldom_last or text[end - 1 : end + 1] in lexicon.joins
        worth -= 3 * (len(given) == 2 and joined)
        sure = (plain or both_good) and not (word or both or quoted or placed or (joined and len(given) == 2))
        clean = len(given) == 2 and not (word or joined or rare or placed)
        full = clean * (3 + (good == 2 and plain))
        yield end, worth - (2 if placed or (word and not both) else 0), sure, full


def _candidates(text: str, lexicon: _Lexicon) -> dict[int, list[_Candidate]]:
    """Everything that looks like a name, by where it begins."""
    found: dict[int, list[_Candidate]] = {}
    done = 0
    for m in lexicon.scan.finditer(text):
        begin = m.start()
        if begin < done:
            continue
        two = text[begin : begin + 2]
        third = text[begin + 2 : begin + 3]
        if two in lexicon.words and third not in lexicon.strong:
            continue  # most of what begins like a name: 高兴, 方法
        if two + third in lexicon.famous:  # nor does a name begin inside of 刘胡兰
            done = begin + 3
            continue
        left = _left(text, begin, lexicon)
        inside = begin > 0 and text[begin - 1 : begin + 1] in lexicon.before
        if inside and left < 2:
            continue
        # 班主|任何|小兰: the role wins over the word only where the rest is a good name
        left -= 3 * inside
        options = []
        for end, shape, sure, full in _shapes(text, begin, left, lexicon):
            right = _right(text, end, lexicon)
            # behind a role any word may follow the name
            right = 0 if right == -1 and left >= _ROLE and text[begin:end] not in lexicon.both else right
            if text[end - 1 : end + 1] in lexicon.joins:
                right = min(right, 0)
            if end == begin + 2 and two in lexicon.famous and max(left, right) < _TITLE:
                continue
            options.append(_Candidate(begin, end, left, right, shape, sure, full))
        if options and options[-1].right > _PLACE:  # 陈家湾社区 is none, 李大|山 is no place
            found[begin] = [c for c in options if c.right > _PLACE]
    return found


# -- running prose -----------------------------------------------------------------------------------


def _in_prose(text: str, lexicon: _Lexicon) -> Iterator[tuple[int, int]]:
    """Names by what stands around them, enumerations as a whole."""
    candidates = _candidates(text, lexicon)
    if not candidates:
        return
    harm = _sensitive(text, lexicon)
    best = {begin: max(options, key=_rank) for begin, options in candidates.items()}
    often = Counter(text[c.begin : c.end] for c in best.values() if c.score >= 1)
    for begin, c in best.items():
        # 罗娟|向记者, where 罗娟 stands elsewhere
        shorter = candidates[begin][0]
        if shorter.end < c.end and often[text[begin : c.end]] == 1 < often[text[begin : shorter.end]]:
            best[begin] = shorter
    done = 0
    for begin in sorted(candidates):
        if begin < done:
            continue
        chain = _chain(text, begin, candidates, best)
        left, right = chain[0].left, chain[-1].right
        # three and more that look like names, one of them beyond doubt
        listed = len(chain) >= 3 and (
            all(c.sure for c in chain)
            or (
                any(c.sure and c.shape >= 3 for c in chain)
                and 2 * sum(c.shape for c in chain) >= 3 * len(chain)
            )
        )
        for c in chain:
            bonus = harm(c.begin) + min(2, often[text[c.begin : c.end]] - 1)
            bonus += (len(chain) > 2) + (len(chain) > 1 and right >= 3)
            # 由…负责, 对…说
            bonus += c.right == 2 and text[c.begin - 1 : c.begin] in "由对向请叫让跟"
            if listed or c.holds(max(left, c.left), max(right, c.right), bonus):
                yield c.begin, c.end
                done = c.end


def _chain(
    text: str, begin: int, candidates: dict[int, list[_Candidate]], best: dict[int, _Candidate]
) -> list[_Candidate]:
    """The enumeration that begins here (王强、李明和赵小红), often of one name."""
    chain: list[_Candidate] = []
    at = begin
    while True:
        linked = next(
            (
                c
                for c in reversed(candidates[at])
                if text[c.end : c.end + 1] in _SEPARATORS and c.end + 1 in best
            ),
            None,
        )
        if linked is None or len(chain) > _LONGEST:
            chain.append(best[at])
            return chain
        chain.append(linked)
        at = linked.end + 1


def _sensitive(text: str, lexicon: _Lexicon) -> Callable[[int], int]:
    """A function of a place: 1 where its sentence names a disability, poverty, a minor, a punishment."""
    hits = [m.start() for m in lexicon.sensitive.finditer(text)]
    ends = [m.start() for m in _SENTENCE_END.finditer(text)] if hits else []

    def harm(at: int) -> int:
        k = bisect_right(ends, at)
        begin = ends[k - 1] if k else 0
        first = bisect_right(hits, begin)
        return int(first < len(hits) and (k == len(ends) or hits[first] < ends[k]))

    return harm


_SENTENCE_END = re.compile(r"[。！？\n]")


def _again(text: str, known: Iterable[str], lexicon: _Lexicon) -> Iterator[Span]:
    """The other occurrences of names found, whole or (of three characters) without the surname."""
    wanted: dict[str, list[tuple[str, str]]] = {}  # first two characters: (what is searched for, the name)
    for name in known:
        size = 2 if name[:2] in lexicon.compound else 1
        word = name in lexicon.both or name in lexicon.no_name
        sure = len(name) > 2 or (name[0] in lexicon.plain and not word)
        if " " in name or "　" in name or not sure:
            continue
        wanted.setdefault(name[:2], []).append((name, name))
        given = name[size:]
        if len(given) == 2 and given[0] in lexicon.listed and given[1] in lexicon.listed:
            wanted.setdefault(given, []).append((given, name))
    for two, names in wanted.items():
        at = text.find(two)
        while at >= 0:
            for part, name in names:
                if text.startswith(part, at) and _stands_alone(text, at, part, name, lexicon):
                    yield Span("person", at, at + len(part), name)
            at = text.find(two, at + 1)


# “小宝，快上来！” and “国栋啊”: called by name
_CALLED = re.compile(r"[“‘「][\u4e00-\u9fff]{2}(?:[，,！!、…]|[啊呀哥姐弟妹])")


def _stands_alone(text: str, at: int, part: str, name: str, lexicon: _Lexicon) -> bool:
    """Whether what is a name elsewhere is one here: a whole name nearly always, a part with evidence."""
    if part != name:
        end = at + len(part)
        left, right = _left(text, at, lexicon), _right(text, end, lexicon)
        if part in lexicon.given_words or part in lexicon.no_name or part[0] not in lexicon.strong:
            return bool(_CALLED.search(text, max(0, at - 1), end + 2)) or (right >= _TITLE and left >= 0)
        full = all(c in lexicon.strong for c in part)
        return (left >= 1 and right >= 1) or (full and (left >= 1 or right >= 1))
    return len(name) > 2 or at == 0 or text[at - 1 : at + 1] not in lexicon.before


def _with_title(text: str, lexicon: _Lexicon) -> Iterator[tuple[int, int]]:
    """Surnames before a title that make a person of them (居委会赵主任)."""
    for m in lexicon.alone.finditer(text):
        begin, surname = m.start(), m[1]
        if len(surname) == 2:
            yield m.span(1)
            continue
        if surname in lexicon.never_alone or text[max(0, begin - 1) : begin + 1] in lexicon.before:
            continue
        before = text[begin - 1 : begin] if begin else ""
        pause = not "一" <= before <= "鿿"
        if surname in lexicon.seldom_alone and before not in ("的", "、"):
            continue
        if surname in lexicon.rare and not pause and before not in "的向和与请听":
            continue
        respect = text[max(0, begin - 3) : begin] in ("尊敬的", "敬爱的", "亲爱的")
        # 高校长: in front of it something that takes a person
        word = text[begin : begin + 2] in lexicon.no_name and not pause and before not in "的向和与请听找了"
        if not respect and (word or text[begin : begin + 3] in lexicon.no_name):
            continue
        if surname in lexicon.plain or pause or before in _BEFORE_TITLE:
            yield m.span(1)


_BEFORE_TITLE = frozenset(
    "的和与请对由是给找了把被让跟到见问像谢在向会委局部县市区村镇乡厂社所院处科班队司办听看陪帮替着间位为从喊据经"
)


# -- where the place alone says it -------------------------------------------------------------------

_SIGNING = re.compile(r"[（(](?:签[字名章]|盖章|公章|手印|签名处|姓名|正楷)[^）)\n]{0,6}[）)]\s*$")
_BETWEEN = re.compile(r"[ 　\t]*(?:[（(][^（()）\n]{0,20}[）)])?[ 　\t]*[、，,;；/和 　\t]?[ 　\t]*")
_DATE = re.compile(r"[ 　]*(?:(?:19|20)\d\d|二[〇○零Oo0][一二〇○零0-9]{2}|20[xX×*_]{2})\s*[年./-]")
_PAUSE = re.compile(r"[，,。；;！!、（(”\n]|$")
_CLOSE = re.compile(r"敬\s*礼|此\s*致")


def _labelled(text: str, lexicon: _Lexicon) -> Iterator[tuple[int, int]]:
    """申请人：…, 组长：…、…: every name of the list behind a label."""
    for m in lexicon.intro.finditer(text):  # 我叫洪福来: whatever the word that it begins with
        own = lexicon.item.match(text, m.end())
        if own and own[3] and _PAUSE.match(text, own.end()) and not lexicon.alone.match(text, m.end()):
            yield own.span()
    for m in lexicon.label.finditer(text):
        line = text[max(0, m.start() - 20) : m.start()].rpartition("\n")[2]
        label = re.sub(r"[ 　\t]", "", _SIGNING.sub("", line))
        if not any(label[-n:] in lexicon.labels for n in range(min(8, len(label)), 1, -1)):
            continue
        at = m.end()
        other = lexicon.foreign.match(text, at)
        if other and _PAUSE.match(text, other.end()):
            yield other.span()
            continue
        while item := _item(text, at, lexicon):
            begin, end, named = item
            if named:
                yield begin, end
            between = _BETWEEN.match(text, end)
            at = between.end() if between and between.end() > end else len(text)


def _item(text: str, at: int, lexicon: _Lexicon) -> tuple[int, int, bool] | None:
    """(begin, end, whether it is someone private) of the name at ``at`` of a list of names."""
    m = lexicon.item.match(text, at)
    if not m:
        return None
    alone = lexicon.alone.match(text, at)
    if alone:
        return at, alone.end(1), alone[1] not in lexicon.never_alone | lexicon.seldom_alone
    options = [m.end()] if m[2] else [m.end(), m.end() - 1][: len(m[3])]
    for end in options:
        name = re.sub(r"[ 　]", "", text[at:end])
        word = name[:2] in lexicon.no_name and name[:2] not in lexicon.both
        odd = any(c not in lexicon.listed for c in name[1:])
        if (word and (len(name) < 3 or odd)) or (name[0] in lexicon.rare and (word or odd)):
            continue
        ahead = text[end : end + 1]
        if not ahead or not "一" <= ahead <= "鿿" or _right(text, end, lexicon) >= 2:
            return at, end, name not in lexicon.famous or name in lexicon.shared
    return None


def _signed(text: str, lexicon: _Lexicon) -> Iterator[tuple[int, int]]:
    """A line that is a name, where a text is signed: under 此致敬礼, over a date, as the last line."""
    lines = [m for m in re.finditer(r"[^\n]+", text) if m[0].strip()]
    closed = bool(_CLOSE.search(text))
    for k, line in enumerate(lines):
        if not closed and k < len(lines) - 4:
            continue
        last = k >= len(lines) - 4 and k > 0
        under = k > 0 and bool(_CLOSE.search(lines[k - 1][0][-6:]))
        if not (last or under) or len(line[0]) > 48:
            continue
        m = re.search(r"[^ 　\t]", line[0])
        starts = [line.start() + m.start()] if m else []
        starts += [line.start() + g.end() for g in re.finditer(r"[ 　\t]+", line[0])]
        over = k + 1 < len(lines) and bool(_DATE.match(lines[k + 1][0]))
        for at in dict.fromkeys(starts):
            end = _signature(text, at, line.end(), over or under or k == len(lines) - 1, lexicon)
            if end and (at == starts[0] or _GROUP_BEFORE.search(text, line.start(), at)):
                yield at, end
                break


_GROUP_BEFORE = re.compile(
    r"(?:班|部|科|处|校|小学|中学|大学|学院|公司|局|村|镇|委会|医院|单位|[:：])[ 　\t]+$"
)


def _signature(text: str, at: int, stop: int, placed: bool, lexicon: _Lexicon) -> int:
    """Where the name at ``at`` of a signing line ends; 0 where there is none."""
    m = lexicon.item.match(text, at, stop)
    if not m or lexicon.alone.match(text, at):
        return 0
    rest = text[m.end() : stop].strip(" 　\t")
    dated = bool(_DATE.match(rest)) or rest.startswith(("(本页无正文", "（本页无正文"))
    name = re.sub(r"[ 　]", "", m[0])
    if (rest and not dated) or not (placed or dated) or name in lexicon.famous or name in lexicon.no_name:
        return 0
    if name[:2] in lexicon.no_name and name[:2] not in lexicon.both:
        return 0
    odd = sum(c not in lexicon.listed for c in name[1:])
    return m.end() if not odd or (name[0] in lexicon.plain and odd < 2) else 0


_AT_HOME = re.compile(
    r"(?:[我他她你们]|邻居|[叔姑姨舅伯][叔姑姨舅伯妈]?|老[师\u4e00-\u9fff])家的?$|叫$|小名$|乳名$|昵称$"
)


def _doubled(text: str, lexicon: _Lexicon) -> Iterator[tuple[int, int]]:
    """The pet names of children (丫丫, 浩浩), everywhere once one place says that a child is called so."""
    places = [m.span() for m in lexicon.doubled.finditer(text)]
    called = {
        text[b:e]
        for b, e in places
        if _left(text, b, lexicon) >= _ROLE
        or _right(text, e, lexicon) >= _TITLE
        or _AT_HOME.search(text, max(0, b - 4), b)
    }
    yield from ((b, e) for b, e in places if text[b:e] in called)


def _foreign(text: str, lexicon: _Lexicon) -> Iterator[tuple[int, int]]:
    """Names of other peoples in characters (阿依古丽·买买提), where a person is spoken of."""
    if not lexicon.part.search(text):
        return
    for m in lexicon.foreign.finditer(text):
        begin = m.start()
        first = m[0].partition("·")[0]
        inner = [k for k in range(len(first)) if any(first.startswith(part, k) for part in lexicon.parts)]
        starts = inner[:1] or [k for k in range(len(first) - 1) if _left(text, begin + k, lexicon) >= 2]
        begin += (starts or [0])[0]
        left, right = _left(text, begin, lexicon), _right(text, m.end(), lexicon)
        if "·" in m[0] or (m.end() - begin > 2 and left >= 1 and (left >= 2 or right >= 2)):
            yield begin, m.end()
