"""A model fits a box by numbers that a person can check: its weights, what it keeps for each token, and how fast memory is read."""

import struct
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from packed import card, key_file, keys, packed  # pyright: ignore[reportMissingImports]

from holdfast.agent.models.bundles.bundle import Bundle, open_bundle, pack
from holdfast.agent.models.bundles.fit import MIB, cache_bytes, fit
from holdfast.agent.models.bundles.gguf import shape_of
from holdfast.agent.models.bundles.hardware import amd, ascend, cpu, nvidia
from holdfast.agent.models.bundles.hardware.device import Device, Probed
from holdfast.agent.models.bundles.hardware.found import found
from holdfast.site.modelcard import BundleError, Shape

# Qwen3-0.6B as its makers state it: 28 layers, 8 key-value heads of 128, 40,960 tokens.
QWEN = Shape(layers=28, kv_heads=8, head_size=128, context=40_960)


def box(free_mib: int, *, bandwidth_gb_s: float = 0.0) -> Probed:
    return Probed(
        kind="cpu", devices=(Device(kind="cpu", name="c", memory_mib=free_mib, free_mib=free_mib, bandwidth_gb_s=bandwidth_gb_s),)
    )


def gguf(*pairs: tuple[str, int, object], version: int = 3) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def one(key: str, kind: int, value: object) -> bytes:
        head = text(key) + struct.pack("<I", kind)
        if kind == 8:
            return head + text(str(value))
        if kind == 9:
            words = list(value)  # type: ignore[call-overload]
            return head + struct.pack("<IQ", 8, len(words)) + b"".join(text(word) for word in words)
        return head + struct.pack({4: "<I", 6: "<f", 7: "<B", 10: "<Q"}[kind], value)

    return struct.pack("<4sIQQ", b"GGUF", version, 0, len(pairs)) + b"".join(one(*pair) for pair in pairs)


QWEN_HEADER = gguf(
    ("general.architecture", 8, "qwen3"),
    ("general.name", 8, "small"),
    ("tokenizer.ggml.tokens", 9, ["a", "bc", "钢"]),
    ("qwen3.rope.freq_base", 6, 1e6),
    ("qwen3.block_count", 4, 28),
    ("qwen3.embedding_length", 4, 1024),
    ("qwen3.attention.head_count", 4, 16),
    ("qwen3.attention.head_count_kv", 4, 8),
    ("qwen3.attention.key_length", 4, 128),
    ("qwen3.context_length", 10, 40_960),
)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Weights of 100 MiB that lie nowhere on the disk, a header of GGUF before them."""
    weights = tmp_path / "m.gguf"
    weights.write_bytes(QWEN_HEADER)
    with weights.open("r+b") as file:
        file.truncate(100 * MIB)
    key = key_file(tmp_path)
    made = pack(name="small", version="1", weights=weights, card=replace(card(), format="gguf", memory_mib=0), key=key, out=tmp_path / "b")
    return open_bundle(made.path, keys(key))


def test_the_cache_is_two_numbers_a_layer_a_head_a_token() -> None:
    assert cache_bytes(QWEN, 4096) == 2 * 28 * 8 * 128 * 4096 * 2 == 448 * MIB


def test_the_sum_is_weights_cache_and_what_a_runtime_takes_beside(bundle: Bundle) -> None:
    told = fit(bundle, (box(1000),), context=4096)
    # a tenth of both, 54.8, is less than the 64 that any runtime takes
    assert (told.weights_mib, told.cache_mib, told.beside_mib, told.needs_mib) == (100.0, 448.0, 64.0, 612)
    told = fit(bundle, (box(1000),), context=8192)
    assert (told.weights_mib, told.cache_mib, told.beside_mib, told.needs_mib) == (100.0, 896.0, 99.6, 1096)  # 1095.6, rounded up


@pytest.mark.parametrize(("free_mib", "answer"), [(765, "fits"), (764, "tight"), (645, "tight"), (644, "no")])
def test_four_fifths_of_what_is_free_fits_and_nineteen_twentieths_is_tight(bundle: Bundle, free_mib: int, answer: str) -> None:
    assert fit(bundle, (box(free_mib),), context=4096).fits == answer  # of 612: 765 and 644.2


def test_tokens_a_second_are_bound_by_how_fast_weights_and_cache_are_read(bundle: Bundle) -> None:
    (on,) = fit(bundle, (box(2000, bandwidth_gb_s=57.4620672),), context=4096).devices
    assert on.tokens_per_s_max == 100.0  # 548 MiB are 574,620,672 bytes


def test_a_model_that_does_not_fit_has_no_speed(bundle: Bundle) -> None:
    assert fit(bundle, (box(100, bandwidth_gb_s=50.0),), context=4096).devices[0].tokens_per_s_max is None


def test_the_models_own_context_counts_where_none_is_given(bundle: Bundle) -> None:
    assert fit(bundle, (box(10_000),)).context == 40_960


def test_the_best_device_answers(bundle: Bundle) -> None:
    assert fit(bundle, (box(100), box(10_000)), context=4096).fits == "fits"


def test_a_model_without_attention_keeps_no_context(tmp_path: Path) -> None:
    key = key_file(tmp_path)
    micro = open_bundle(packed(tmp_path, key=key).path, keys(key))
    told = fit(micro, (box(1000, bandwidth_gb_s=10.0),))
    assert (told.context, told.cache_mib, told.devices[0].tokens_per_s_max) == (0, 0.0, None)
    assert told.needs_mib == 65  # the 64 of a runtime and a byte of weights; its card says 40
    with pytest.raises(BundleError) as raised:
        fit(micro, (box(1000),), context=4096)
    assert raised.value.code == "model.no_shape"


# ---- the header of GGUF --------------------------------------------------------------------------------------------------


def test_a_header_says_what_a_token_costs(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(QWEN_HEADER)
    assert shape_of(tmp_path / "m.gguf") == QWEN


def test_heads_of_keys_are_those_of_queries_where_nothing_else_is_said(tmp_path: Path) -> None:
    pairs = [("general.architecture", 8, "llama"), ("llama.block_count", 4, 2), ("llama.embedding_length", 4, 64)]
    (tmp_path / "m.gguf").write_bytes(gguf(*pairs, ("llama.attention.head_count", 4, 4), ("llama.context_length", 4, 128)))
    assert shape_of(tmp_path / "m.gguf") == Shape(layers=2, kv_heads=4, head_size=16, context=128)


@pytest.mark.parametrize("end", [0, 4, 23, 24, 60, len(QWEN_HEADER) - 1])
def test_a_header_that_ends_in_the_middle_is_refused(tmp_path: Path, end: int) -> None:
    (tmp_path / "m.gguf").write_bytes(QWEN_HEADER[:end])
    with pytest.raises(BundleError):
        shape_of(tmp_path / "m.gguf")


def test_a_length_that_no_file_has_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q", 1 << 60))
    with pytest.raises(BundleError):
        shape_of(tmp_path / "m.gguf")


# ---- what a box has ------------------------------------------------------------------------------------------------------


def test_this_box_has_a_processor_with_memory() -> None:
    (device,) = found()[0].devices
    assert device.cores >= 1
    assert 0 < device.free_mib <= device.memory_mib


def test_memory_that_a_container_may_not_use_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:       16384000 kB\nMemAvailable:   8192000 kB\n")
    (tmp_path / "cpuinfo").write_text("model name\t: Some CPU\nflags\t\t: sse avx2 fma avx512_vnni\n")
    (tmp_path / "memory.max").write_text("4194304000\n")
    (tmp_path / "memory.current").write_text("1048576000\n")
    (device,) = cpu.probe(tmp_path, tmp_path).devices
    assert (device.name, device.memory_mib, device.free_mib) == ("Some CPU", 4000, 3000)
    assert device.features == ("avx2", "fma", "avx512_vnni")
    (tmp_path / "memory.max").write_text("max\n")
    assert cpu.probe(tmp_path, tmp_path).devices[0].memory_mib == 16_000


def test_a_box_without_nvidias_driver_says_so() -> None:
    class Broken(Exception):
        pass

    def none() -> None:
        raise Broken("NVML Shared Library Not Found")

    told = nvidia.probe(SimpleNamespace(nvmlInit=none, NVMLError=Broken))
    assert told.devices == ()
    assert "Not Found" in told.absent


def test_nvidias_bandwidth_is_width_times_clock_twice() -> None:
    """An H100 SXM as NVIDIA's data sheet has it: 5120 bits, 2619 MHz, 3.35 TB/s."""
    library = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda place: place,
        nvmlDeviceGetName=lambda handle: "NVIDIA H100 80GB HBM3",
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(total=80 << 30, free=78 << 30),
        nvmlDeviceGetMemoryBusWidth=lambda handle: 5120,
        nvmlDeviceGetMaxClockInfo=lambda handle, kind: 2619,
    )
    (device,) = nvidia.probe(library).devices
    assert (device.memory_mib, device.free_mib, device.bandwidth_gb_s) == (80 << 10, 78 << 10, 3352.3)


def test_amds_cards_are_read_from_what_the_kernel_says(tmp_path: Path) -> None:
    """github.com/elementary/monitor, issue 369: 6,812,925,952 of 8,573,157,376 bytes in use. And one whose driver says nonsense."""
    card, odd = tmp_path / "card0" / "device", tmp_path / "card1" / "device"
    for folder, total, used in ((card, "8573157376\n", "6812925952\n"), (odd, "1\n", "2\n")):
        folder.mkdir(parents=True)
        (folder / "mem_info_vram_total").write_text(total)
        (folder / "mem_info_vram_used").write_text(used)
        (folder / "device").write_text("0x744c\n")
    told = amd.probe(tmp_path)
    assert [(one.name, one.memory_mib, one.free_mib) for one in told.devices] == [("AMD 0x744c", 8176, 1678)]
    assert not told.tested
    assert amd.probe(tmp_path / "none").absent


# github.com/Project-HAMi/HAMi-WebUI, issue 47: npu-smi 25.2.0 on two 910B4-1.
ASCEND = """\
+------------------------------------------------------------------------------------------------+
| npu-smi 25.2.0                   Version: 25.2.0                                               |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B4-1             | OK            | 91.3        33                0    / 0             |
| 0                         | 0000:xx:00.0  | 0           0    / 0          3197 / 65536         |
+===========================+===============+====================================================+
| 1     910B4-1             | OK            | 88.1        32                0    / 0             |
| 0                         | 0000:xx:00.0  | 0           0    / 0          3197 / 65536         |
"""
# github.com/vllm-project/vllm-ascend, issue 2534: two chips a card, with the column Phy-ID.
ASCEND_PHYSICAL = """\
| 0     Ascend910           | OK            | 178.5       36                0    / 0             |
| 0     0                   | 0000:9D:00.0  | 0           0    / 0          3416 / 65536         |
+------------------------------------------------------------------------------------------------+
| 0     Ascend910           | OK            | -           36                0    / 0             |
| 1     1                   | 0000:9F:00.0  | 0           0    / 0          3195 / 65536         |
"""


def test_ascends_own_table_is_read_and_said_to_be_untested() -> None:
    told = ascend.read(ASCEND)
    assert [(one.name, one.memory_mib, one.free_mib) for one in told.devices] == [("910B4-1", 65_536, 62_339)] * 2
    assert not told.tested
    both = ascend.read(ASCEND_PHYSICAL)
    assert [(one.name, one.free_mib) for one in both.devices] == [("Ascend910", 62_120), ("Ascend910", 62_341)]


@pytest.mark.parametrize("text", ["", "npu-smi: command failed", "|" * 1000, ASCEND.replace("65536", "0")])
def test_a_table_that_says_nothing_gives_no_device(text: str) -> None:
    assert ascend.read(text).devices == ()
    assert ascend.read(text).absent
