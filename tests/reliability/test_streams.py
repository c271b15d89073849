from reliability.check_streams import Streams, other_locales, streams_close


def test_streams_may_close_at_any_time(place):
    kinds = [Streams(stdout="full"), Streams("closed", "closed", "closed")]
    streams_close(place / "config", ["config"], kinds).passed()
    both = [Streams(stdout="gone", stderr="gone")]
    streams_close(place / "train", ["train"], both).passed()
    streams_close(place / "json", ["train --json"], [Streams(stdout="full")]).passed()


def test_a_sentence_is_the_same_in_every_locale(place):
    other_locales(place).passed()
