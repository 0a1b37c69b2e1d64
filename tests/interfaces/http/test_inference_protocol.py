"""The Open Inference Protocol over a real connection: tritonclient unchanged, and the JSON by hand."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hilum.image.decode import decode
from hilum.image.prepare import prepare
from tests.interfaces.http.forms import sample
from tests.interfaces.http.running import Running, running

triton = pytest.importorskip("tritonclient.http")
utils = pytest.importorskip("tritonclient.utils")

NAME = "pneumonia-cxr"
INFER = f"/v2/models/{NAME}/infer"
XRAY, BRAIN = sample(NAME).read_bytes(), sample("brain-tumor-mri").read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture
def client(server: Running) -> Iterator[object]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        yield client


def images(*files: bytes, binary: bool = True) -> list:
    one = triton.InferInput("image", [len(files)], "BYTES")
    one.set_data_from_numpy(np.array(files, dtype=object), binary_data=binary)
    return [one]


def told(*files: bytes) -> dict:
    data = [base64.b64encode(file).decode() for file in files]
    return {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [len(files)], "data": data}]}


def planes(server: Running, *files: bytes) -> np.ndarray:
    package = server.parts.desks.desk("auto", NAME).speakers[0].package
    return np.stack([prepare(decode(file, name="x")[0], package.preparation) for file in files])


def test_tritonclient_sees_a_server_that_is_live_and_knows_its_models(client) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NAME)
    assert client.is_model_ready(NAME, "1.1.0")
    assert client.is_model_ready(NAME, "champion")
    assert not client.is_model_ready("nobody")
    assert not client.is_model_ready(NAME, "9")
    said = client.get_server_metadata()
    assert said["name"] == "hilum"
    assert {"classification", "binary_tensor_data", "model_repository"} <= set(said["extensions"])
    assert {"name": NAME, "version": "1.1.0", "state": "READY", "reason": ""} in client.get_model_repository_index()
    client.load_model(NAME)
    with pytest.raises(utils.InferenceServerException, match="promote"):
        client.unload_model(NAME)


def test_the_metadata_name_every_tensor(client) -> None:
    said = client.get_model_metadata(NAME)
    assert (said["versions"], said["platform"]) == (["1.1.0"], "onnx_onnxv1")
    assert {one["name"]: (one["datatype"], one["shape"]) for one in said["inputs"]} == {
        "image": ("BYTES", [-1]),
        "pixels": ("UINT8", [-1, 1, 192, 192]),
    }
    assert said["outputs"][0] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}
    assert said["parameters"]["labels"] == "normal,pneumonia"


@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient_gets_answers_and_refusals_in_their_rows(client, server: Running, binary: bool) -> None:
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("class", "probabilities")]
    wanted += [triton.InferRequestedOutput(name, binary_data=not binary) for name in ("admitted", "reasons")]
    found = client.infer(NAME, images(XRAY, BRAIN), outputs=wanted, request_id="seven")
    named = [word.decode() if binary else word for word in found.as_numpy("class")]
    assert named == ["normal", ""]
    assert list(found.as_numpy("admitted")) == [True, False]
    probabilities = found.as_numpy("probabilities")
    assert probabilities.shape == (2, 2)
    assert probabilities[0].sum() == pytest.approx(1)
    assert np.isnan(probabilities[1]).all()
    assert "not_this_kind_of_image" in str(found.as_numpy("reasons")[1])
    said = found.get_response()
    assert (said["id"], said["model_name"], said["model_version"]) == ("seven", NAME, "1.1.0")
    for name in said["parameters"]["prediction_ids"].split(","):
        assert server.ask("GET", f"/predictions/{name}").status == 200


def test_tritonclient_without_outputs_gets_all_of_them_in_binary(client) -> None:
    found = client.infer(NAME, images(XRAY), model_version="1.1.0", request_compression_algorithm="gzip")
    assert found.as_numpy("class")[0] == b"normal"
    assert found.as_numpy("admitted")[0]
    assert found.as_numpy("reasons")[0] == b""


def test_the_classification_extension_names_the_best_classes(client) -> None:
    wanted = triton.InferRequestedOutput("probabilities", class_count=2)
    found = client.infer(NAME, images(XRAY, BRAIN), outputs=[wanted])
    best = found.as_numpy("probabilities")
    value, index, label = best[0][0].decode().split(":")
    assert (best.shape, index, label) == ((2, 2), "0", "normal")
    assert 0.5 < float(value) <= 1
    assert math.isnan(float(best[1][0].decode().split(":")[0]))


@pytest.mark.parametrize("binary", [True, False])
def test_pixels_of_the_declared_size_get_the_answer_of_their_image(client, server: Running, binary: bool) -> None:
    pixels = planes(server, XRAY, XRAY)
    one = triton.InferInput("pixels", list(pixels.shape), "UINT8")
    one.set_data_from_numpy(pixels, binary_data=binary)
    found, whole = client.infer(NAME, [one]), client.infer(NAME, images(XRAY))
    assert np.allclose(found.as_numpy("probabilities"), whole.as_numpy("probabilities"), atol=1e-6)
    name = found.get_response()["parameters"]["prediction_ids"].split(",")[0]
    said = server.ask("GET", f"/predictions/{name}").json()
    assert said["input"] == "pixels"
    kept = decode(server.ask("GET", f"/predictions/{name}/image").body, name="kept")[0]
    assert np.array_equal(np.rint(kept.pixels * 255).astype(np.uint8), pixels[0, 0])
    assert server.ask("GET", f"/predictions/{name}/heatmap").status == 200


def test_pixels_go_through_the_gate_too(client) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (1, 1, 192, 192), dtype=np.uint8)
    one = triton.InferInput("pixels", [1, 1, 192, 192], "UINT8")
    one.set_data_from_numpy(noise)
    found = client.infer(NAME, [one])
    assert not found.as_numpy("admitted")[0]
    assert np.isnan(found.as_numpy("probabilities")).all()


def test_json_by_hand_tells_a_refusal_with_null(server: Running) -> None:
    answer = server.ask("POST", INFER, {"id": "a", **told(BRAIN)})
    said = answer.json()
    assert (answer.status, said["id"]) == (200, "a")
    by_name = {one["name"]: one for one in said["outputs"]}
    assert by_name["probabilities"] == {
        "name": "probabilities",
        "datatype": "FP32",
        "shape": [1, 2],
        "data": [None, None],
    }
    assert by_name["admitted"]["data"] == [False]
    assert by_name["class"]["data"] == [""]


def test_parameters_choose_point_and_prevalence(server: Running) -> None:
    asked = {**told(XRAY), "parameters": {"operating_point": "screening", "prevalence": 0.01}}
    said = server.ask("POST", INFER, asked).json()
    assert said["parameters"]["operating_point"] == "screening"
    recorded = server.ask("GET", f"/predictions/{said['parameters']['prediction_ids']}").json()
    assert (recorded["operating_point"], recorded["prevalence"]) == ("screening", 0.01)


def test_tritonclient_sends_parameters_too(client) -> None:
    said = client.infer(NAME, images(XRAY), parameters={"operating_point": "screening"}).get_response()
    assert said["parameters"]["operating_point"] == "screening"


def test_one_broken_image_among_others_is_a_refused_row(server: Running) -> None:
    said = server.ask("POST", INFER, told(XRAY, b"\x89PNG\r\n\x1a\nbroken")).json()
    by_name = {one["name"]: one["data"] for one in said["outputs"]}
    assert by_name["admitted"] == [True, False]
    assert by_name["reasons"] == ["", "unreadable_image"]
    alone = server.ask("POST", INFER, told(b"\x89PNG\r\n\x1a\nbroken"))
    assert alone.status == 422
    assert alone.json()["error"]


GOOD = told(XRAY)["inputs"][0]
HEADER = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 9}}]}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"[" * 100_000,
        {"inputs": []},
        {"inputs": [{"name": "image"}]},
        {"inputs": [{**GOOD, "shape": [2]}]},
        {"inputs": [{**GOOD, "shape": [-1]}]},
        {"inputs": [{**GOOD, "shape": [2, 2], "data": GOOD["data"] * 4}]},
        {"inputs": [{**GOOD, "datatype": "FP32"}]},
        {"inputs": [{**GOOD, "data": ["not base64!"]}]},
        {"inputs": [{**GOOD, "data": [1]}]},
        {"inputs": [{**GOOD, "name": "other"}]},
        {"inputs": [GOOD, {**GOOD, "name": "pixels"}]},
        {"inputs": [GOOD], "id": 7},
        {"inputs": [GOOD], "parameters": []},
        {"inputs": [GOOD], "outputs": [{"name": "nothing"}]},
        {"inputs": [GOOD], "outputs": [{"name": "class"}, {"name": "*"}]},
        {"inputs": [GOOD], "outputs": [{"name": "class", "parameters": {"classification": 1}}]},
        {"inputs": [GOOD], "outputs": [{"name": "class", "parameters": {"shared_memory_region": "x"}}]},
        {"inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [1, 1, 2, 2], "data": [1, 2, 3, 4]}]},
        {"inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [1, 4], "data": [1, 2, 3, 256]}]},
        {"inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [1, 4], "data": [[1], [2, 3]]}]},
        HEADER,
    ],
    ids=lambda body: str(body)[:60],
)
def test_what_is_no_request_is_a_4xx_that_says_why(server: Running, body: object) -> None:
    answer = server.ask("POST", INFER, body)
    assert answer.status == 400
    assert answer.is_problem()
    assert answer.json()["error"]


@pytest.mark.parametrize("length", ["x", "-1", "999999", "1e3", ""])
def test_a_header_length_that_lies_is_refused(server: Running, length: str) -> None:
    assert server.ask("POST", INFER, b"{}", {"Inference-Header-Content-Length": length}).status == 400


def test_a_binary_string_that_claims_too_much_is_refused(server: Running) -> None:
    raw = struct.pack("<I", 2**31) + b"12345"
    head = json.dumps(HEADER).encode()
    answer = server.ask("POST", INFER, head + raw, {"Inference-Header-Content-Length": str(len(head))})
    assert answer.status == 400
    assert "beyond" in answer.json()["error"]


def test_an_unknown_model_or_point_says_what_there_is(server: Running) -> None:
    unknown = server.ask("POST", "/v2/models/nobody/infer", told(XRAY))
    assert unknown.status == 404
    assert NAME in unknown.json()["error"]
    point = server.ask("POST", INFER, {**told(XRAY), "parameters": {"operating_point": "wild"}})
    assert point.status == 422


@pytest.mark.parametrize(
    "parameters",
    [{"operating_point": 0}, {"operating_point": []}, {"operating_point": {}}, {"keep": {}}, {"prevalence": {"a": 1}}],
)
def test_a_parameter_that_is_no_word_is_not_taken_for_none(server: Running, parameters: dict[str, object]) -> None:
    answer = server.ask("POST", INFER, {**told(XRAY), "parameters": parameters})
    assert (answer.status, answer.is_problem()) == (422, True)


def test_a_gzip_bomb_is_refused(server: Running) -> None:
    import gzip

    bomb = gzip.compress(b" " * 300_000_000, 9)
    answer = server.ask("POST", INFER, bomb, {"Content-Encoding": "gzip"})
    assert (answer.status, answer.json()["code"]) == (413, "too_large")
    assert server.ask("POST", INFER, b"no gzip", {"Content-Encoding": "gzip"}).status == 400
    assert server.ask("POST", INFER, b"x", {"Content-Encoding": "br"}).status == 415


def test_the_same_key_gets_the_recorded_answers_even_at_once(server: Running) -> None:
    body, key = told(XRAY + b"keyed", BRAIN), {"Idempotency-Key": "order-8"}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: server.ask("POST", INFER, body, key), range(6)))
    assert {answer.status for answer in answers} == {200}
    (ids,) = {answer.json()["parameters"]["prediction_ids"] for answer in answers}
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    outputs = [answer.json()["outputs"] for answer in answers]
    assert all(one == outputs[0] for one in outputs)
    fresh = server.ask("POST", INFER, body).json()
    assert fresh["parameters"]["prediction_ids"] != ids
    assert fresh["outputs"] == outputs[0]


def test_a_key_is_of_one_question_only(server: Running) -> None:
    key = {"Idempotency-Key": "order-9"}
    assert server.ask("POST", INFER, told(XRAY), key).status == 200
    others = [
        (INFER, told(BRAIN)),
        (INFER, {**told(XRAY), "parameters": {"operating_point": "screening"}}),
        (INFER, {**told(XRAY), "parameters": {"prevalence": 0.1}}),
        ("/v2/models/brain-tumor-mri/infer", told(XRAY)),
    ]
    for path, body in others:
        answer = server.ask("POST", path, body, key)
        assert (answer.status, answer.json()["code"]) == (422, "key_reused"), body
        assert answer.is_problem()
    assert server.ask("POST", INFER, told(XRAY), {"Idempotency-Key": ""}).json()["code"] == "bad_key"


def test_pixels_with_a_key_too(server: Running) -> None:
    pixels = planes(server, XRAY)
    tensor = {"name": "pixels", "datatype": "UINT8", "shape": list(pixels.shape), "data": pixels.ravel().tolist()}
    first, again = (server.ask("POST", INFER, {"inputs": [tensor]}, {"Idempotency-Key": "p"}) for _ in range(2))
    assert first.json() == again.json()
    assert "idempotent-replayed" in again.headers
