"""Writes scikit-learn's diabetes table (Efron et al. 2004: 442 patients, 10 measurements, the disease's progress after a year)
as a .csv whose last column is the target.

    python3 scripts/fetch_diabetes.py [FILE]       # default: diabetes.csv

The table comes with the package scikit-learn.
"""
import csv
import sys

try:
    from sklearn.datasets import load_diabetes
except ImportError:
    sys.exit("scikit-learn is needed: pip install scikit-learn")

table = load_diabetes(scaled=False)
with open(sys.argv[1] if len(sys.argv) > 1 else "diabetes.csv", "w", newline="") as file:
    out = csv.writer(file)
    out.writerow([*table.feature_names, "progress"])
    out.writerows([*row, target] for row, target in zip(table.data.tolist(), table.target.tolist()))
