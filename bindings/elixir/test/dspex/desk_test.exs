defmodule DSPex.DeskTest do
  # The example of the README writes what the same program writes in C, C++ and Go.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  @example Path.expand("../../examples/desk.exs", __DIR__)
  @golden Path.expand("../../../../tests/conformance/desk.txt", __DIR__)

  test "the help desk" do
    written = capture_io(fn -> Code.eval_file(@example) end)
    assert written == File.read!(@golden)
  end
end
