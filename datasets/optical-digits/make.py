"""Writes train.csv, test.csv and schema.json from the copy of the data that scikit-learn bundles.

    pip install -r ../../examples/kaggle/requirements.txt
    python make.py

The texts of the values are those of the bundled file, character for character; no value passes through a float.
"""

import csv
import gzip
import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

SEED = 42
TEST_RECORDS = 360
BUNDLED_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
SIDE = 8
# A value counts the pixels that are on in a block of 4 by 4.
MAX = 16
CLASSES = tuple("0123456789")
HERE = Path(__file__).resolve().parent


def feature(name):
    """One feature: a whole number, its range by what it counts and not by what was observed."""
    return {
        "name": name,
        "decimals": 0,
        "min": "0",
        "max": str(MAX),
        "unit": None,
        "code": None,
        "system": None,
    }


def write(path, header, rows):
    with open(path, "w", newline="", encoding="ascii") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def main():
    bundled = (resources.files("sklearn.datasets.data") / "digits.csv.gz").read_bytes()
    assert hashlib.sha256(bundled).hexdigest() == BUNDLED_SHA256, "the bundled file changed"
    # No header; 64 values row by row from the image's top left corner, then the digit.
    rows = list(csv.reader(gzip.decompress(bundled).decode("ascii").splitlines()))
    names = [f"pixel_{row}_{column}" for row in range(SIDE) for column in range(SIDE)]
    allowed = {str(value) for value in range(MAX + 1)}
    for row in rows:
        assert len(row) == len(names) + 1 and set(row[:-1]) <= allowed and row[-1] in CLASSES, row

    train, test = train_test_split(
        np.arange(len(rows)),
        test_size=TEST_RECORDS,
        stratify=[row[-1] for row in rows],
        random_state=SEED,
    )
    # Within each half the records keep the order of the source.
    train, test = [rows[i] for i in sorted(train)], [rows[i] for i in sorted(test)]
    header = [*names, "digit"]
    write(HERE / "train.csv", header, train)
    write(HERE / "test.csv", header, test)

    schema = {
        "format": "tacit.schema/1",
        "features": [feature(name) for name in names],
        "classes": [{"name": name} for name in CLASSES],
    }
    (HERE / "schema.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="ascii")

    for name, part in (("train", train), ("test", test)):
        counts = {c: sum(row[-1] == c for row in part) for c in CLASSES}
        print(f"{name}: {len(part)} records {counts}")
    for name in ("train.csv", "test.csv", "schema.json"):
        print(hashlib.sha256((HERE / name).read_bytes()).hexdigest(), name)


if __name__ == "__main__":
    main()
