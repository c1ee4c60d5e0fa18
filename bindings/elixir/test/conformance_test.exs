for file <- ["documents", "behaviours", "runner"],
    do: Code.require_file("conformance/#{file}.exs", __DIR__)

defmodule SnakepitBridge.ConformanceTest do
  # The scenarios that every host runs, each a test: the trace is the one that stands in the file.
  use ExUnit.Case, async: true

  alias SnakepitBridge.Conformance.{Documents, Runner}

  @scenarios Path.expand("../../../tests/conformance/*.json", __DIR__) |> Path.wildcard()

  test "there are scenarios", do: assert(length(@scenarios) >= 1)

  for path <- @scenarios do
    @external_resource path

    @tag timeout: 120_000
    @tag :capture_log
    test "#{Path.basename(path, ".json")}" do
      path = unquote(path)
      name = Path.basename(path, ".json")
      scenario = Documents.read!(path)
      trace = Runner.run(scenario, Module.concat(__MODULE__, Macro.camelize(name)))
      save(trace, name, System.get_env("SPB_TRACE_DIR"))

      for {{written, expected}, number} <- Enum.with_index(Enum.zip(trace, scenario["trace"])) do
        assert written === expected, "entry #{number} of #{name}: #{told(written, expected)}"
      end

      assert length(trace) == length(scenario["trace"])
    end
  end

  defp told(written, expected),
    do: "\n  written  #{Documents.line(written)}\n  expected #{Documents.line(expected)}"

  defp save(_trace, _name, nil), do: :ok

  defp save(trace, name, directory) do
    lines = Enum.map(trace, &[Documents.line(&1), ?\n])
    File.write!(Path.join(directory, "#{name}.elixir.jsonl"), lines)
  end
end
