defmodule DSPex.DeskTest do
  # The examples run: the help desk writes what the same program writes in C, C++ and Go, and the
  # code of the README is code.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  @moduletag :capture_log

  @root Path.expand("../..", __DIR__)
  @golden Path.expand("../../tests/conformance/desk.txt", @root)

  # The examples find the interpreter as a user's program does, by the environment.
  setup_all do
    if System.get_env("SPB_PYTHON") == nil do
      System.put_env("SPB_PYTHON", Path.expand("../../.venv/bin/python", @root))
      on_exit(fn -> System.delete_env("SPB_PYTHON") end)
    end

    {:ok, desk: capture_io(fn -> Code.eval_file(Path.join(@root, "examples/desk.exs")) end)}
  end

  test "the help desk", %{desk: written} do
    assert written == File.read!(@golden)
  end

  test "the example of the README" do
    [example] = for block <- blocks(), block =~ "defmodule MyApp.Desk", do: block

    # Its model is the one of the help desk, answering at once.
    model = """
    defmodule MyApp.Model do
      def answer(request), do: Desk.Model.answer(%{request | "stream" => false}, nil)
    end
    """

    Code.eval_string(model <> example)
    {:ok, application} = apply(MyApp.Application, :start, [:normal, []])

    written =
      capture_io(fn ->
        assert apply(MyApp.Desk, :run, []) == "urgent"
      end)

    assert written == "The ferry to Skellig leaves at 07:40.\n"
    Supervisor.stop(application)
  end

  test "every block of the README is Elixir" do
    assert length(blocks()) > 4
    for block <- blocks(), do: assert({:ok, _} = Code.string_to_quoted(block))
  end

  defp blocks do
    readme = File.read!(Path.join(@root, "README.md"))
    for [_, block] <- Regex.scan(~r/```elixir\n(.*?)```/s, readme), do: block
  end
end
