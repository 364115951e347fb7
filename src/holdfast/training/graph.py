"""A trained network as an int8 ONNX file that carries its labels; the same sums as `network` made them with."""

import importlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.training import TrainingError
from holdfast.training.network import Shape, Weights

OPSET = 17
IR_VERSION = 9  # what onnxruntime 1.20 reads


def written(shape: Shape, weights: Weights, labels: tuple[str, ...], classes: tuple[str, ...]) -> bytes:
    """The int8 model's bytes. Raises TrainingError without the package onnx."""
    try:
        onnx: Any = importlib.import_module("onnx")
        quantization: Any = importlib.import_module("onnxruntime.quantization")
    except ModuleNotFoundError as error:
        raise TrainingError(f"{error.name} is not there; install the extra: holdfast[train]") from error
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(_model(onnx, shape, weights), str(whole))
        quantization.quantize_dynamic(
            str(whole), str(small), weight_type=quantization.QuantType.QInt8, op_types_to_quantize=["MatMul", "Gather"]
        )
        model = onnx.load(str(small))
    onnx.helper.set_model_props(model, {"labels": json.dumps(list(labels)), "classes": json.dumps(list(classes))})
    return model.SerializeToString(deterministic=True)


def _model(onnx: Any, shape: Shape, weights: Weights) -> Any:
    node, numbers = onnx.helper.make_node, onnx.numpy_helper.from_array
    constants: dict[str, Any] = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    constants |= {"zero": np.array(0, np.int64), "last": np.array([2], np.int64), "axis": np.array([1], np.int64)}
    constants |= {"from": np.array([0], np.int64), "end": np.array([np.iinfo(np.int64).max], np.int64)}
    nodes = [
        node("Greater", ["ids", "zero"], ["there_bool"]),
        node("Cast", ["there_bool"], ["there_flat"], to=onnx.TensorProto.FLOAT),
        node("Unsqueeze", ["there_flat", "last"], ["there"]),
        node("Gather", ["embed", "ids"], ["looked_up"]),
        node("Mul", ["looked_up", "there"], ["hidden0"]),
    ]
    for layer, dilation in enumerate(shape.dilations):
        constants |= {f"pads{layer}": np.array([0, dilation, 0, 0, dilation, 0], np.int64)}
        constants |= {f"before{layer}": np.array([-2 * dilation], np.int64), f"after{layer}": np.array([2 * dilation], np.int64)}
        here, i = f"hidden{layer}", layer
        nodes += [
            node("Pad", [here, f"pads{i}"], [f"padded{i}"]),
            node("Slice", [f"padded{i}", "from", f"before{i}", "axis"], [f"left{i}"]),
            node("Slice", [f"padded{i}", f"after{i}", "end", "axis"], [f"right{i}"]),
            node("Concat", [f"left{i}", here, f"right{i}"], [f"seen{i}"], axis=2),
            node("MatMul", [f"seen{i}", f"look{i}"], [f"product{i}"]),
            node("Add", [f"product{i}", f"look_b{i}"], [f"sum{i}"]),
            node("Relu", [f"sum{i}"], [f"made{i}"]),
            node("MatMul", [f"made{i}", f"mix{i}"], [f"mixed{i}"]),
            node("Add", [f"mixed{i}", f"mix_b{i}"], [f"more{i}"]),
            node("Add", [here, f"more{i}"], [f"whole{i}"]),
            node("Mul", [f"whole{i}", "there"], [f"hidden{i + 1}"]),
        ]
    final = f"hidden{len(shape.dilations)}"
    nodes += [
        node("MatMul", [final, "tags"], ["tags_product"]),
        node("Add", ["tags_product", "tags_b"], ["tags_out"]),
        node("ReduceMax", [final], ["most"], axes=[1], keepdims=0),
        node("MatMul", ["most", "classes"], ["classes_product"]),
        node("Add", ["classes_product", "classes_b"], ["classes_out"]),
        node("Identity", ["tags_out"], ["tags_named"]),
        node("Identity", ["classes_out"], ["classes_named"]),
    ]
    renamed = {"tags": "tags_w", "classes": "classes_w", "tags_named": "tags", "classes_named": "classes"}
    for one in nodes:
        for place in (one.input, one.output):
            for index, name in enumerate(place):
                place[index] = renamed.get(name, name)
    number, info = onnx.TensorProto, onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "tagger",
        [info("ids", number.INT64, ["texts", "characters"])],
        [
            info("tags", number.FLOAT, ["texts", "characters", shape.labels]),
            info("classes", number.FLOAT, ["texts", max(shape.classes, 1)]),
        ],
        [numbers(value, renamed.get(name, name)) for name, value in constants.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
