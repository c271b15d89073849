"""The rules for files of text-embeddings-inference and Ollama, as their readers have them."""

import msgspec
import pytest
from export_models import grown

from nexus_engine.exports.plain_model import plain_model
from nexus_engine.exports.st_folder import onnx_folder, st_folder


class Module(msgspec.Struct, forbid_unknown_fields=True):
    idx: int
    name: str
    path: str
    type: str


class Pooling(msgspec.Struct):
    """The booleans that text-embeddings-inference requires."""

    pooling_mode_cls_token: bool
    pooling_mode_mean_tokens: bool
    pooling_mode_max_tokens: bool = False
    pooling_mode_lasttoken: bool = False
    pooling_mode_mean_sqrt_len_tokens: bool = False


class Configuration(msgspec.Struct):
    architectures: list[str]
    model_type: str
    hidden_act: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    pad_token_id: int


KNOWN_MODULES = {
    f"sentence_transformers.models.{kind}"
    for kind in ("Transformer", "Pooling", "Dense", "Normalize")
}


def check_served(files):
    """Raises if text-embeddings-inference or Ollama would refuse or misread the folder."""
    config = msgspec.json.decode(files["config.json"], type=Configuration)
    assert (config.model_type, config.architectures) == ("bert", ["BertModel"])
    modules = msgspec.json.decode(files["modules.json"], type=list[Module])
    assert {module.type for module in modules} <= KNOWN_MODULES
    assert [module.idx for module in modules] == list(range(len(modules)))
    for module in modules[1:]:  # one without a file would be looked for on a hub
        assert f"{module.path}/config.json" in files
    pooling = msgspec.json.decode(files["1_Pooling/config.json"], type=Pooling)
    chosen = [name for name in Pooling.__struct_fields__ if getattr(pooling, name)]
    assert chosen == ["pooling_mode_mean_tokens"]
    assert "tokenizer.json" in files
    assert files.keys() & {"model.safetensors", "model.onnx", "onnx/model.onnx"}


@pytest.mark.parametrize("name", ["linear", "adapter"])
def test_the_files_keep_the_rules_of_servers(name):
    model = plain_model(grown(name))
    check_served(st_folder(model))
    check_served(onnx_folder(model, "model.onnx", b""))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("1_Pooling/config.json", b'"pooling_mode_cls_token": false,', b""),
        ("1_Pooling/config.json", b'cls_token": false', b'cls_token": true'),
        ("modules.json", b"transformers.models.Pooling", b"transformers.modules.Pooling"),
        ("config.json", b'"model_type": "bert",', b""),
    ],
)
def test_the_rules_can_fail(file, old, new):
    files = onnx_folder(plain_model(grown("base")), "model.onnx", b"")
    assert old in files[file]
    with pytest.raises((msgspec.ValidationError, AssertionError)):
        check_served({**files, file: files[file].replace(old, new)})
