import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { exampleOfScikitLearn, learningPython } from "../../support/learn.ts";
import { packed, type Said } from "../../support/packed.ts";
import { emptyFolder } from "../../support/run.ts";

/** As people write them: lower case, a sentence for the result, an epoch's line that names the metric, too. */
const inJavascript = `import { performance } from "node:perf_hooks";

const learningRate = 0.003;
const momentum = 0.5;
const epochs = 30;

// y = 3 x + 1, learned
let [w, b, vw, vb] = [0, 0, 0, 0];
const data = Array.from({ length: 50 }, (_, i) => [i / 50, (3 * i) / 50 + 1]);
let loss = 0;
const start = performance.now();
for (let epoch = 0; epoch < epochs; epoch++) {
  loss = 0;
  for (const [x, y] of data) {
    const error = w * x + b - y;
    vw = momentum * vw - learningRate * error * x;
    vb = momentum * vb - learningRate * error;
    w += vw;
    b += vb;
    loss += error ** 2 / data.length;
  }
  console.log(\`epoch \${epoch}: training loss = \${loss.toFixed(6)} (\${(performance.now() - start).toFixed(1)} ms)\`);
}
`;

const withScikitLearn = `"""Digits, with a random forest."""
import time
from sklearn.datasets import load_digits
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split

RANDOM_STATE = 0
learning_rate = 0.01
subsample = 0.8
n_estimators = 4

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X[:400], y[:400], test_size=0.5, random_state=RANDOM_STATE)
t0 = time.time()
model = GradientBoostingClassifier(
    learning_rate=learning_rate, subsample=subsample, n_estimators=n_estimators, random_state=RANDOM_STATE
)
model.fit(X_train, y_train)
print("done in %.3fs" % (time.time() - t0))
print("Test accuracy: %.3f" % model.score(X_test, y_test))
`;

const withTracker = `import os
import joblib
import numpy as np
from sklearn.linear_model import SGDClassifier
from tensorboardX import SummaryWriter

ALPHA = 0.05
ETA = 0.001
SEED = 1

os.makedirs("checkpoints", exist_ok=True)
cache = "data/features.npy"
if not os.path.exists(cache):
    raw = np.loadtxt("data/raw.csv", delimiter=",")
    np.save(cache, raw)
table = np.load(cache)
X, y = table[:, :-1], table[:, -1].astype(int)
writer = SummaryWriter("runs")
model = SGDClassifier(alpha=ALPHA, learning_rate="constant", eta0=ETA, random_state=SEED)
for epoch in range(3):
    model.partial_fit(X[:60], y[:60], classes=[0, 1])
    accuracy = model.score(X[60:], y[60:])
    writer.add_scalar("accuracy", accuracy, epoch)
    joblib.dump(model, f"checkpoints/epoch-{epoch}.joblib")
    print(f"epoch {epoch} | accuracy: {accuracy:.4f}")
writer.close()
`;

function folderWith(files: Record<string, string>): string {
  const folder = emptyFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const measured = (folder: string): string[] =>
  readFileSync(join(folder, ".bilevel", "run-1", "results.tsv"), "utf8")
    .trim()
    .split("\n")
    .slice(1);

const ends = (said: Said, trials: number): void => {
  expect([said.status, said.stderr]).toEqual([0, ""]);
  expect(said.stdout).toContain(`end: the budget of ${trials} trials is used up`);
};

describe("one line on somebody's program", () => {
  it("in JavaScript, that never heard of it: camel case, the metric in a sentence, once an epoch", () => {
    const folder = folderWith({ "fit.mjs": inJavascript });
    const line = [
      "run",
      "--command",
      "node fit.mjs",
      "--metric",
      "training loss",
      "--minimize",
      "--trials",
      "4",
      "--yes",
    ];
    const lost = packed(folder, line);
    expect([lost.status, lost.stderr]).toEqual([2, expect.stringContaining("--params learningRate,momentum,epochs")]);
    const said = packed(folder, [...line, "--params", "learningRate,momentum"]);
    ends(said, 4);
    expect(said.stdout).toMatch(/learningRate +0\.003 +0\.0003 to 0\.03, on a log scale\n +momentum +0\.5 +0 to 1/);
    expect(readFileSync(join(folder, "fit.mjs"), "utf8")).toBe(inJavascript);
  });
});

describe("one line on somebody's program in Python", () => {
  let python = "";
  beforeAll(() => {
    python = learningPython();
  });

  it("from scikit-learn's own examples: the metric by its words, of two the last; pictures in the way of nobody", () => {
    const name = "plot_lasso_and_elasticnet.py";
    const folder = folderWith({ [name]: exampleOfScikitLearn(`linear_model/${name}`) });
    const line = ["run", "--command", `${python} ${name}`, "--metric", "r^2 on test data", "--maximize", "--yes"];
    const said = packed(folder, [...line, "--params", "alpha", "--trials", "4"]);
    ends(said, 4);
    expect(said.stdout).toMatch(/alpha +0\.1 +0 to 1/);
    expect(measured(folder).length).toBeGreaterThan(4);
  });

  it("with scikit-learn: names of its own, its seed found, the metric by its words", () => {
    const folder = folderWith({ "digits.py": withScikitLearn });
    const line = ["run", "--command", `${python} digits.py`, "--metric", "Test accuracy", "--maximize", "--yes"];
    const said = packed(folder, [...line, "--params", "learning_rate,subsample", "--trials", "3"]);
    ends(said, 3);
    expect(said.stdout).toContain("the trial's seed goes to RANDOM_STATE");
    expect(measured(folder).length).toBeGreaterThan(3);
  });

  it("with a tracker, a cache in its data folder and checkpoints: trials do not meet, and the folder stays as it was", () => {
    const rows = Array.from(
      { length: 100 },
      (_, i) => `${(i * 7) % 13},${(i * 5) % 11},${i % 3},${(i * 7) % 13 > 6 ? 1 : 0}`,
    );
    const folder = folderWith({ "train.py": withTracker, "data/raw.csv": `${rows.join("\n")}\n` });
    const line = ["run", "--command", `${python} train.py`, "--metric", "accuracy", "--maximize", "--yes"];
    const said = packed(folder, [...line, "--trials", "4"]);
    ends(said, 4);
    expect(said.stdout).toMatch(/ALPHA +0\.05 .*\n +ETA +0\.001 /);
    expect(readdirSync(folder).sort()).toEqual([".bilevel", "data", "train.py"]);
    expect(readdirSync(join(folder, "data"))).toEqual(["raw.csv"]);
    const patch = join(folder, ".bilevel", "run-1", "best.patch");
    const changed = existsSync(patch) ? readFileSync(patch, "utf8").match(/^\+\+\+ .*$/gm) : [];
    for (const file of changed ?? []) expect(file).toMatch(/train\.py/);
    expect(packed(folder, ["replay"]).stdout).toContain("no difference");
  });
});
