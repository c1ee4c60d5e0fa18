defmodule SnakepitBridge.DocsTest do
  # That what is public is explained: every module, every function, with its types.
  use ExUnit.Case, async: true

  test "every public function has documentation and types" do
    {:ok, modules} = :application.get_key(:snakepit_bridge, :modules)
    public = Enum.filter(modules, &public?/1)
    assert SnakepitBridge.API.Tools in public
    assert Enum.flat_map(public, &missing/1) == []
  end

  # Protocol implementations and what only tests use have nothing to explain.
  defp public?(module) do
    source = to_string(module.module_info(:compile)[:source])

    case Code.fetch_docs(module) do
      {:docs_v1, _, _, _, :hidden, _, _} -> false
      {:docs_v1, _, _, _, _, _, _} -> source =~ "/lib/" and inspect(module) =~ ~r/^(Snake|DSPex)/
      {:error, _} -> false
    end
  end

  defp missing(module) do
    {:docs_v1, _, _, _, about, _, entries} = Code.fetch_docs(module)
    {:ok, specs} = Code.Typespec.fetch_specs(module)
    specified = MapSet.new(specs, fn {name_and_arity, _} -> name_and_arity end)
    unexplained = if is_map(about), do: [], else: [{module, :moduledoc}]

    unexplained ++
      for {{:function, name, arity}, _, _, doc, _} <- entries,
          doc != :hidden,
          doc == :none or not MapSet.member?(specified, {name, arity}),
          do: {module, name, arity}
  end
end
