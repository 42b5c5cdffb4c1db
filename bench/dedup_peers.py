"""One tool's search for duplicates, in a process of its own on one core; bench/dedup.py starts it.

``dedup_peers.py TOOL TEXTS.parquet OUT.json``: in go columns ``id`` and ``text``, out come CPU seconds of
making signatures and of everything, peak memory, and the pairs of ids that the tool calls duplicates. Every
tool runs with its defaults; where it asks the caller for tokens, ``-chars`` gives it the 5-grams of
characters and ``-spaces`` what its introduction does, ``text.split()``. Only ``fanwen`` needs fanwen.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Pairs = list[tuple[int, int]]
Tokens = Callable[[str], Sequence[str]]


def main() -> None:
    """Run one tool and write what it found."""
    tool, texts_file, out = sys.argv[1:]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    table = pq.read_table(texts_file, columns=["id", "text"])
    ids, texts = table.column("id").to_pylist(), table.column("text").to_pylist()
    begin = _cpu()
    signatures, pairs = TOOLS[tool](texts)
    whole = _cpu() - begin
    report = {
        "signatures": signatures,
        "whole": whole,
        "peak_mb": round(max(resource.getrusage(who).ru_maxrss for who in _WHO) / 1024),
        "pairs": [(ids[a], ids[b]) for a, b in pairs],
    }
    Path(out).write_text(json.dumps(report))


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu() -> float:
    """CPU seconds of this process and of those it waited for."""
    return sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime for who in _WHO)


def grams(text: str) -> list[str]:
    return [text[i : i + 5] for i in range(max(1, len(text) - 4))]


def datasketch(tokens: Tokens) -> Callable[[Sequence[str]], tuple[float, Pairs]]:
    def run(texts: Sequence[str]) -> tuple[float, Pairs]:
        from datasketch import MinHash, MinHashLSH

        begin = time.process_time()
        sketches = []
        for text in texts:
            sketch = MinHash()
            sketch.update_batch([token.encode() for token in tokens(text)])
            sketches.append(sketch)
        signatures = time.process_time() - begin
        index = MinHashLSH()
        pairs = []
        for number, sketch in enumerate(sketches):
            pairs += [(other, number) for other in index.query(sketch)]
            index.insert(number, sketch)
        return signatures, pairs

    return run


def rensa(tokens: Tokens) -> Callable[[Sequence[str]], tuple[float, Pairs]]:
    def run(texts: Sequence[str]) -> tuple[float, Pairs]:
        from rensa import RMinHash, RMinHashLSH

        begin = time.process_time()
        sketches = []
        for text in texts:
            sketch = RMinHash(num_perm=128, seed=42)
            sketch.update(tokens(text))
            sketches.append(sketch)
        signatures = time.process_time() - begin
        index = RMinHashLSH(threshold=0.8, num_perm=128, num_bands=16)
        pairs = []
        for number, sketch in enumerate(sketches):
            # candidates that the sketches agree with, as its own deduplicator does it
            pairs += [
                (other, number) for other in index.query(sketch) if sketches[other].jaccard(sketch) >= 0.8
            ]
            index.insert(number, sketch)
        return signatures, pairs

    return run


def datatrove(texts: Sequence[str]) -> tuple[float, Pairs]:
    """Its MinHash pipeline with the tokenizer that it assigns to Chinese (spaCy with jieba)."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from loguru import logger

    logger.remove()
    config = MinhashConfig()
    with tempfile.TemporaryDirectory() as folder:
        begin = time.process_time()
        documents = (Document(text=text, id=str(number)) for number, text in enumerate(texts))
        MinhashDedupSignature(f"{folder}/sigs", config=config, language="cmn_Hani").run(documents)
        signatures = time.process_time() - begin
        for bucket in range(config.num_buckets):
            MinhashDedupBuckets(f"{folder}/sigs", f"{folder}/buckets", config=config).run(
                None, bucket, config.num_buckets
            )
        MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config=config).run(None, 0, 1)
        found = b"".join(file.read_bytes() for file in sorted(Path(folder).glob("buckets/*.dups")))
        # (file, document) twice
        numbers = np.frombuffer(found, dtype="<u4").reshape(-1, 4)[:, 1::2]
        return signatures, [(int(a), int(b)) for a, b in numbers]


def text_dedup(texts: Sequence[str]) -> tuple[None, Pairs]:
    """Its command for MinHash, as a process; signatures cannot be told apart from the rest."""
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({"text": list(texts)}), f"{folder}/texts.parquet")
        command = [sys.executable, "-m", "text_dedup.minhash", "--path", "parquet", "--split", "train"]
        command += ["--data_files", f"{folder}/texts.parquet", "--column", "text", "--num_proc", "1"]
        command += ["--cache_dir", f"{folder}/cache", "--output", f"{folder}/out", "--debug"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        with open(f"{folder}/out/uf.pkl", "rb") as file:  # noqa: PTH123
            union = pickle.load(file)
    return None, [(number, union.find(number)) for number in list(union.parent)]


def fanwen(texts: Sequence[str]) -> tuple[float, Pairs]:
    """Signatures as they are kept, then everything from the texts to clusters in a corpus on disk."""
    from fanwen.corpus import dedup, duplicates, pieces
    from fanwen.corpus.fingerprint import fingerprints, to_blob
    from fanwen.corpus.normalise import fold
    from fanwen.corpus.store import open_store

    begin = time.process_time()
    for at in range(0, len(texts), 100):
        folded = fold(texts[at : at + 100])
        [(folded.key(i), to_blob(marks)) for i, marks in enumerate(fingerprints(folded))]
    signatures = time.process_time() - begin
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.parquet"
        pq.write_table(pa.table({"id": list(range(len(texts))), "text": list(texts)}), file)
        pieces.ingest_pieces(Path(folder) / "corpus.db", file)
        with open_store(Path(folder) / "corpus.db") as store:
            dedup.update(store)
            pairs = [
                (int(pair.a), int(pair.b))
                for pair in duplicates.relations(store)
                if pair.relation in ("exact", "near")
            ]
    return signatures, pairs


TOOLS: dict[str, Callable[[Sequence[str]], tuple[float | None, Pairs]]] = {
    "fanwen": fanwen,
    "datasketch-chars": datasketch(grams),
    "datasketch-spaces": datasketch(str.split),
    "rensa-chars": rensa(grams),
    "rensa-spaces": rensa(str.split),
    "datatrove": datatrove,
    "text-dedup": text_dedup,
}


if __name__ == "__main__":
    main()
