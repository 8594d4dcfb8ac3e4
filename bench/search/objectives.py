"""Tasks that live in Python: COCO's mixed-integer suite, and models of scikit-learn on data that it ships."""

import functools
import os
import tempfile
import warnings

warnings.filterwarnings("ignore")


@functools.lru_cache(maxsize=8)
def bbob(function, dimension, instance):
    import cocoex

    suite = cocoex.Suite(
        "bbob-mixint", f"instances: {instance}", f"function_indices:{function} dimensions:{dimension}"
    )
    return suite[0]


def describe_bbob(function, dimension, instance):
    """Its space, the suite's own starting point as the baseline, and the least value there is."""
    problem = bbob(function, dimension, instance)
    whole = problem.number_of_integer_variables
    parameters = {}
    for index in range(problem.dimension):
        low, high = float(problem.lower_bounds[index]), float(problem.upper_bounds[index])
        start = float(problem.initial_solution[index])
        parameters[f"x{index:02d}"] = (
            {"type": "int", "min": round(low), "max": round(high), "default": round(start)}
            if index < whole
            else {"type": "float", "min": low, "max": high, "default": start}
        )
    return {"parameters": parameters, "best": least(problem)}


def least(problem):
    """COCO tells the best parameters by a file in the working directory."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            problem._best_parameter("print")
            with open("._bbob_problem_best_parameter.txt") as told:
                return float(problem([float(number) for number in told.read().split()]))
        finally:
            os.chdir(before)


def measure_bbob(function, dimension, instance, values):
    return float(bbob(function, dimension, instance)([values[key] for key in sorted(values)]))


@functools.lru_cache(maxsize=None)
def data(name):
    from sklearn import datasets

    return getattr(datasets, name)(return_X_y=True)


def split(name, seed, test, most=None):
    from sklearn.model_selection import train_test_split

    x, y = data(name)
    parts = train_test_split(x, y, test_size=test, random_state=seed, train_size=most)
    return parts


def scaled(train, test):
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def mlp_digits(v, seed):
    """A neural network on handwritten digits: log loss on 40 % of them; seed: split and start."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    train, test, y, z = split("load_digits", seed, 0.4)
    train, test = scaled(train, test)
    model = MLPClassifier(
        hidden_layer_sizes=(v["hidden"],) * v["layers"],
        activation=v["activation"],
        solver=v["solver"],
        alpha=v["alpha"],
        batch_size=v["batch"],
        learning_rate_init=v["rate"],
        momentum=float(v.get("momentum", 0.9)),
        beta_1=v.get("beta_1", 0.9),
        beta_2=v.get("beta_2", 0.999),
        max_iter=v["epochs"],
        n_iter_no_change=1000,
        random_state=seed,
    ).fit(train, y)
    return log_loss(z, model.predict_proba(test), labels=range(10))


def booster_diabetes(v, seed):
    """Gradient boosted trees on the diabetes data: root mean squared error of three splits; seed: splits and model."""
    import numpy
    from sklearn.ensemble import HistGradientBoostingRegressor

    errors = []
    for fold in range(3):
        train, test, y, z = split("load_diabetes", 3 * seed + fold, 0.35)
        model = HistGradientBoostingRegressor(
            loss=v["loss"],
            learning_rate=v["rate"],
            max_iter=v["trees"],
            max_leaf_nodes=v["leaves"],
            min_samples_leaf=v["leaf"],
            l2_regularization=float(v["l2"]),
            max_features=float(v["features"]),
            max_bins=v["bins"],
            random_state=seed,
        ).fit(train, y)
        errors.append(numpy.mean((model.predict(test) - z) ** 2))
    return float(numpy.sqrt(numpy.mean(errors)))


def svm_wine(v, seed):
    """A support vector machine on the wines: log loss of three splits."""
    import numpy
    from sklearn.metrics import log_loss
    from sklearn.svm import SVC

    losses = []
    for fold in range(3):
        train, test, y, z = split("load_wine", 3 * seed + fold, 0.5)
        train, test = scaled(train, test)
        model = SVC(
            C=v["c"],
            kernel=v["kernel"],
            gamma=v.get("gamma", "scale"),
            degree=v.get("degree", 3),
            coef0=float(v.get("coef0", 0.0)),
            tol=v["tol"],
            probability=True,
            random_state=seed,
        ).fit(train, y)
        losses.append(log_loss(z, model.predict_proba(test), labels=range(3)))
    return float(numpy.mean(losses))


def forest_cancer(v, seed):
    """Extra trees on the breast cancer data: log loss of two splits."""
    import numpy
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import log_loss

    losses = []
    for fold in range(2):
        train, test, y, z = split("load_breast_cancer", 2 * seed + fold, 0.5)
        model = ExtraTreesClassifier(
            n_estimators=v["trees"],
            max_depth=v["depth"],
            min_samples_leaf=v["leaf"],
            max_features=float(v["features"]),
            criterion=v["criterion"],
            bootstrap=v["bootstrap"],
            max_samples=float(v["samples"]) if "samples" in v else None,
            random_state=seed,
        ).fit(train, y)
        losses.append(log_loss(z, model.predict_proba(test), labels=range(2)))
    return float(numpy.mean(losses))


learners = {f.__name__: f for f in (mlp_digits, booster_diabetes, svm_wine, forest_cancer)}
