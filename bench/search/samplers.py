"""The competitors, each with `ask() -> values` and `tell(loss or None)`; what crashed is told as worse than all that was measured."""

import logging
import math
import warnings

warnings.filterwarnings("ignore")


def axes_of(space):
    """One axis for each parameter, one for each item of a tuple: name, domain, condition."""
    for name, parameter in space["parameters"].items():
        if parameter["type"] == "tuple":
            for index, item in enumerate(parameter["items"]):
                yield name, index, item, parameter.get("when")
        else:
            yield name, None, parameter, parameter.get("when")


def domain_of(parameter):
    """A domain that every library has: float, int (of an exponent, of a place) or a choice by its place; and the way back."""
    kind = parameter["type"]
    if kind == "float":
        return "float", parameter["min"], parameter["max"], parameter.get("scale") == "log", float
    if kind == "int" and parameter.get("scale") == "pow2":
        return "int", round(math.log2(parameter["min"])), round(math.log2(parameter["max"])), False, lambda x: 2 ** int(x)
    if kind == "int":
        return "int", parameter["min"], parameter["max"], parameter.get("scale") == "log", int
    if kind == "bool":
        return "choice", 0, 1, False, bool
    values = parameter["values"]
    return ("int" if parameter.get("ordered") else "choice"), 0, len(values) - 1, False, lambda x: values[int(x)]


def place_of(parameter, value):
    if parameter["type"] == "int" and parameter.get("scale") == "pow2":
        return round(math.log2(value))
    if parameter["type"] == "choice":
        return parameter["values"].index(value)
    return int(value) if parameter["type"] == "bool" else value


class Sampler:
    def __init__(self, space, baseline, seed, trials, slots):
        self.axes = list(axes_of(space))
        self.baseline, self.seed, self.trials, self.slots = baseline, seed, trials, slots
        self.losses = []
        self.begin()

    def key(self, name, item):
        return name if item is None else f"{name}[{item}]"

    def places(self, values):
        """The baseline on the common axes; what is inactive in the middle of its domain."""
        found = {}
        for name, item, parameter, _ in self.axes:
            _, low, high, log, _ = domain_of(parameter)
            middle = math.sqrt(low * high) if log else (low + high) / 2
            if name in values:
                value = values[name] if item is None else values[name][item]
                found[self.key(name, item)] = place_of(parameter, value)
            else:
                found[self.key(name, item)] = middle if parameter["type"] == "float" else int(middle)
        return found

    def values(self, places):
        found = {}
        for name, item, parameter, when in self.axes:
            if when and any(found.get(other) not in allowed for other, allowed in when.items()):
                continue
            value = domain_of(parameter)[4](places[self.key(name, item)])
            if item is None:
                found[name] = value
            else:
                found.setdefault(name, []).append(value)
        return found

    def penalised(self, loss):
        if loss is not None:
            self.losses.append(loss)
            return loss
        if not self.losses:
            return 1e3
        return max(self.losses) + (max(self.losses) - min(self.losses) or 1.0)


class OptunaSampler(Sampler):
    def sampler(self, samplers):
        return samplers.TPESampler(seed=self.seed)

    def begin(self):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(sampler=self.sampler(optuna.samplers))
        start = self.places(self.baseline)
        active = {
            self.key(name, item) for name, item, _, _ in self.axes if name in self.baseline
        }
        self.study.enqueue_trial({key: place for key, place in start.items() if key in active})

    def ask(self):
        trial = self.study.ask()
        found, places = {}, {}
        for name, item, parameter, when in self.axes:
            if when and any(found.get(other) not in allowed for other, allowed in when.items()):
                continue
            key = self.key(name, item)
            kind, low, high, log, back = domain_of(parameter)
            if kind == "float":
                place = trial.suggest_float(key, low, high, log=log)
            elif kind == "int":
                place = trial.suggest_int(key, low, high, log=log)
            else:
                place = trial.suggest_categorical(key, list(range(low, high + 1)))
            places[key] = place
            if item is None:
                found[name] = back(place)
        return trial.number, self.values(places)

    def tell(self, number, loss):
        self.study.tell(number, self.penalised(loss))

    def know(self, values, loss):
        """A trial of an earlier search."""
        import optuna

        made = {}
        places = self.places(values)
        for name, item, parameter, _ in self.axes:
            kind, low, high, log, _ = domain_of(parameter)
            key = self.key(name, item)
            if kind == "float":
                made[key] = optuna.distributions.FloatDistribution(low, high, log=log)
            elif kind == "int":
                made[key] = optuna.distributions.IntDistribution(low, high, log=log)
            else:
                made[key] = optuna.distributions.CategoricalDistribution(list(range(low, high + 1)))
        self.study.add_trial(optuna.trial.create_trial(params=places, distributions=made, value=loss))


class Multivariate(OptunaSampler):
    def sampler(self, samplers):
        return samplers.TPESampler(seed=self.seed, multivariate=True, constant_liar=self.slots > 1)


class Tpe(OptunaSampler):
    def sampler(self, samplers):
        return samplers.TPESampler(seed=self.seed, constant_liar=True) if self.slots > 1 else samplers.TPESampler(seed=self.seed)


class CmaEs(OptunaSampler):
    def sampler(self, samplers):
        start = self.places(self.baseline)
        numbers = [self.key(name, item) for name, item, parameter, _ in self.axes if domain_of(parameter)[0] != "choice"]
        # with conditions the margin fails in Optuna 5.0.0: generations then have points of different lengths
        margin = not any(when for _, _, _, when in self.axes)
        return samplers.CmaEsSampler(x0={key: start[key] for key in numbers}, with_margin=margin, seed=self.seed)


class Nevergrad(Sampler):
    """Its default, NGOpt, started at the baseline."""

    def begin(self):
        import nevergrad as ng
        import numpy

        logging.disable(logging.CRITICAL)
        start = self.places(self.baseline)
        parts = {}
        for name, item, parameter, _ in self.axes:
            kind, low, high, log, _ = domain_of(parameter)
            key = self.key(name, item)
            if kind == "choice":
                parts[key] = ng.p.Choice(list(range(low, high + 1)))
                parts[key].value = start[key]
            elif log:
                parts[key] = ng.p.Log(init=start[key], lower=low, upper=high)
            else:
                parts[key] = ng.p.Scalar(init=start[key], lower=low, upper=high)
            if kind == "int":
                parts[key] = parts[key].set_integer_casting()
        parametrization = ng.p.Dict(**parts)
        parametrization.random_state = numpy.random.RandomState(self.seed)
        self.search = ng.optimizers.NGOpt(parametrization, budget=self.trials, num_workers=self.slots)
        self.search.suggest(start)
        self.asked = {}

    def ask(self):
        candidate = self.search.ask()
        self.asked[len(self.asked)] = candidate
        return len(self.asked) - 1, self.values(candidate.value)

    def tell(self, number, loss):
        self.search.tell(self.asked[number], self.penalised(loss))


class Smac(Sampler):
    """The facade for hyperparameters, started at the baseline."""

    def begin(self):
        import tempfile

        from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
        from smac import HyperparameterOptimizationFacade, Scenario

        logging.disable(logging.CRITICAL)
        start = self.places(self.baseline)
        space = ConfigurationSpace(seed=self.seed)
        for name, item, parameter, _ in self.axes:
            kind, low, high, log, _ = domain_of(parameter)
            key = self.key(name, item)
            if kind == "choice":
                space.add(Categorical(key, list(range(low, high + 1)), default=start[key]))
            elif kind == "int":
                space.add(Integer(key, (low, high), log=log, default=start[key]))
            else:
                space.add(Float(key, (low, high), log=log, default=start[key]))
        scenario = Scenario(
            space, n_trials=self.trials, deterministic=True, seed=self.seed, output_directory=tempfile.mkdtemp()
        )
        self.search = HyperparameterOptimizationFacade(
            scenario,
            lambda config, seed=0: 0.0,
            initial_design=HyperparameterOptimizationFacade.get_initial_design(
                scenario, additional_configs=[space.get_default_configuration()]
            ),
            overwrite=True,
            logging_level=False,
        )
        self.isFirst = True
        self.default = space.get_default_configuration()
        self.asked = {}

    def ask(self):
        from smac.runhistory.dataclasses import TrialInfo

        info = TrialInfo(self.default, seed=0) if self.isFirst else self.search.ask()
        self.isFirst = False
        self.asked[len(self.asked)] = info
        return len(self.asked) - 1, self.values(dict(info.config))

    def tell(self, number, loss):
        from smac.runhistory.dataclasses import TrialValue

        self.search.tell(self.asked[number], TrialValue(cost=self.penalised(loss)))


samplers = {
    "optuna": Tpe,
    "optuna-multivariate": Multivariate,
    "optuna-cma": CmaEs,
    "nevergrad": Nevergrad,
    "smac": Smac,
}
