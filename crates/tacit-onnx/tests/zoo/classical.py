"""scikit-learn pipelines, exported by skl2onnx."""

import os

import numpy as np
import onnx
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC, LinearSVR

from store import HERE, save


def export(name, model, data, zipmap=False, raw_scores=False, y=None):
    x = data.x.reshape(len(data.x), -1)
    model.fit(x[data.train], (data.y if y is None else y)[data.train])
    final = model.steps[-1][1] if hasattr(model, "steps") else model
    # Without an entry, a pipeline's last step gets the option `zipmap`, which LinearSVC does not know.
    options = {id(final): {}}
    if hasattr(final, "predict_proba"):
        options = {id(final): {"zipmap": zipmap}}
        if raw_scores:
            options[id(final)]["raw_scores"] = True
    save(name, to_onnx(model, x[:1], options=options), data)


def logistic():
    return LogisticRegression(max_iter=500)


def linear(cancer, digits, diabetes):
    export("logistic_binary", make_pipeline(StandardScaler(), logistic()), cancer)
    export("logistic_binary_zipmap", make_pipeline(StandardScaler(), logistic()), cancer, zipmap=True)
    export("logistic_multinomial", make_pipeline(MinMaxScaler(), logistic()), digits)
    export("logistic_multinomial_zipmap", make_pipeline(StandardScaler(), logistic()), digits, zipmap=True)
    export("logistic_raw_scores", make_pipeline(MaxAbsScaler(), logistic()), digits, raw_scores=True)
    export("logistic_text_labels", make_pipeline(RobustScaler(), logistic()), cancer, y=np.array(["malignant", "normal"])[cancer.y])
    export("logistic_robust", make_pipeline(RobustScaler(), logistic()), cancer)
    export("logistic_one_vs_rest", make_pipeline(MinMaxScaler(), OneVsRestClassifier(logistic())), digits)
    export("linear_svc_binary", make_pipeline(StandardScaler(), LinearSVC()), cancer)
    export("linear_svc", make_pipeline(MinMaxScaler(), LinearSVC()), digits)
    export("sgd_classifier", make_pipeline(MinMaxScaler(), SGDClassifier(loss="log_loss", random_state=0)), digits)
    export("ridge_classifier", make_pipeline(MinMaxScaler(), RidgeClassifier()), digits)
    export("discriminant", LinearDiscriminantAnalysis(), digits)
    export("pca_logistic", make_pipeline(StandardScaler(), PCA(20, random_state=0), logistic()), digits)
    export("pca_whitened_logistic", make_pipeline(PCA(12, whiten=True, random_state=0), logistic()), digits)
    export("select_logistic", make_pipeline(SelectKBest(k=12), StandardScaler(), logistic()), cancer)
    export("union_logistic", make_pipeline(make_union(StandardScaler(), PCA(5, random_state=0)), logistic()), digits)
    export("ridge", make_pipeline(StandardScaler(), Ridge()), diabetes)
    export("lasso", make_pipeline(MinMaxScaler(), Lasso(0.1)), diabetes)
    export("elastic_net", make_pipeline(StandardScaler(), ElasticNet(0.1)), diabetes)
    export("linear_regression", LinearRegression(), diabetes)
    export("linear_svr", make_pipeline(StandardScaler(), LinearSVR(C=10, max_iter=10000)), diabetes)


def preprocessing(cancer, digits, diabetes, clinic):
    export("imputer_logistic", make_pipeline(SimpleImputer(), StandardScaler(), logistic()), cancer)
    for norm in ("l1", "l2", "max"):
        export(f"normalizer_{norm}_logistic", make_pipeline(Normalizer(norm), logistic()), digits)
    export("binarizer_logistic", make_pipeline(Binarizer(threshold=7.5), logistic()), digits)
    export("polynomial_ridge", make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge()), diabetes)
    columns = ColumnTransformer([("numbers", StandardScaler(), [0, 1, 2, 3]), ("codes", OneHotEncoder(), [4, 5, 6])])
    export("columns_logistic", make_pipeline(columns, logistic()), clinic)
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), MinMaxScaler()), [0, 1, 2, 3]),
            ("codes", OneHotEncoder(handle_unknown="ignore"), [5, 6]),
            ("as_is", "passthrough", [4]),
        ]
    )
    export("columns_mlp", make_pipeline(columns, MLPClassifier((16,), max_iter=400, random_state=0)), clinic)
    columns = ColumnTransformer([("numbers", StandardScaler(), slice(0, 4)), ("codes", OrdinalEncoder(), [4, 5, 6])])
    export("ordinal_logistic", make_pipeline(columns, logistic()), clinic)
    export("function_logistic", make_pipeline(FunctionTransformer(), StandardScaler(), logistic()), cancer)


def vectorised(cancer):
    """The same classifier behind a FeatureVectorizer, as converters of other tools begin a pipeline."""
    model = onnx.load(os.path.join(HERE, "logistic_binary.onnx"))
    first = onnx.helper.make_node("FeatureVectorizer", ["X"], ["vector"], domain="ai.onnx.ml", inputdimensions=[30])
    for node in model.graph.node:
        node.input[:] = ["vector" if name == "X" else name for name in node.input]
    model.graph.node.insert(0, first)
    save("vectorised_logistic", model, cancer)


def networks(cancer, digits, diabetes):
    for activation in ("identity", "relu", "tanh", "logistic"):
        mlp = MLPClassifier((24,), activation=activation, max_iter=150, random_state=0)
        export(f"mlp_{activation}", make_pipeline(MinMaxScaler(), mlp), digits)
    mlp = MLPClassifier((16, 8), max_iter=300, random_state=0)
    export("mlp_binary", make_pipeline(StandardScaler(), mlp), cancer)
    export("mlp_binary_zipmap", make_pipeline(StandardScaler(), mlp), cancer, zipmap=True)
    mlp = MLPRegressor(hidden_layer_sizes=(16, 8), max_iter=1500, random_state=0)
    export("mlp_regressor", make_pipeline(StandardScaler(), mlp), diabetes)
    mlp = MLPRegressor(hidden_layer_sizes=(12,), activation="tanh", solver="lbfgs", max_iter=300, random_state=0)
    export("mlp_regressor_tanh", make_pipeline(StandardScaler(), mlp), diabetes)
