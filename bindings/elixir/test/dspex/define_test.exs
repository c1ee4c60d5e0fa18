defmodule DSPex.DefineTest do
  # Modules made by defdspy, and what is refused when they are compiled. Needs no platform.
  use ExUnit.Case, async: true

  alias SnakepitBridge.Error

  defmodule Programs do
    use DSPex

    @strict "Be strict."

    defdspy Triage,
            "message: str, limit: int | None -> label: Literal['urgent', 'routine'], reason: str",
            module: :chain_of_thought,
            doc: "Sorts messages.",
            instructions: "Sort the message.",
            config: [temperature: 0.5]

    defdspy Plain, """
    text: str
    -> words: list[str], counts: dict[str, int], share: float | None
    """

    defdspy Agent, "question -> answer",
      module: :react,
      tools: ["lookup"],
      doc: false,
      lm: DSPex.lm(:host, "model", model: "small")

    def strict, do: @strict
  end

  alias Programs.{Agent, Plain, Triage}

  test "the document, the fields and the struct follow the signature" do
    assert Triage.program() == %{
             module: "chain_of_thought",
             signature:
               "message: str, limit: int | None -> " <>
                 "label: Literal['urgent', 'routine'], reason: str",
             instructions: "Sort the message.",
             config: %{temperature: 0.5}
           }

    assert Triage.inputs() == [:message, :limit]
    assert Triage.outputs() == [:label, :reason]
    assert %DSPex.Signature{outputs: [%{name: "label"}, _]} = Triage.signature()
    assert Map.keys(%Triage{}) |> Enum.sort() == [:__struct__, :label, :prediction, :reason]
    assert inspect(%Triage{label: "urgent"}) =~ ~s(label: "urgent", reason: nil)
    assert Plain.program().module == "predict"
    assert Agent.program().lm == %{kind: "host_tool", tool: "model", model: "small"}
  end

  test "a missing, an unknown and a doubled input are refused before anything is sent" do
    session = :never_used

    for {inputs, field, words} <- [
          {[], "message", "missing"},
          {%{"limit" => 3}, "message", "missing"},
          {[message: "a", massage: "b"], "massage", "unknown, expected message, limit"},
          {%{:message => 1, "message" => 2}, "message", "given twice"}
        ] do
      assert {:error, %Error{status: :invalid_argument} = error} = Triage.call(session, inputs)
      assert error.details == %{"field" => field}
      assert error.message =~ "input `#{field}`"
      assert error.message =~ words
      assert_raise Error, fn -> Triage.call!(session, inputs) end
      assert [{:error, ^error}] = Enum.to_list(Triage.stream(session, inputs))
    end
  end

  @tag :tmp_dir
  test "documentation and types follow the signature", %{tmp_dir: directory} do
    source = """
    defmodule DSPex.DefineTest.Documented do
      use DSPex
      defdspy Triage, "message: str, limit: int | None -> label: Literal['a', 'b'], share: float",
        doc: "Sorts messages."
      defdspy Hidden, "a -> b", doc: false
    end
    """

    file = Path.join(directory, "documented.ex")
    File.write!(file, source)
    modules = compile(file, directory)
    triage = DSPex.DefineTest.Documented.Triage
    assert triage in modules
    beam = Path.join(directory, "#{triage}.beam")
    {:docs_v1, _, _, _, %{"en" => doc}, _, functions} = docs(beam)
    assert doc =~ "Sorts messages."
    assert doc =~ "| `limit` | int or None | input |"
    assert doc =~ ~s(| `label` | "a" or "b" | output |)

    for {{:function, name, arity}, _, _, doc, _} <- functions, name not in [:__struct__] do
      assert %{"en" => _} = doc, "#{name}/#{arity}"
    end

    assert type(beam, :t) =~ ~r/label: String\.t\(\), prediction: .* share: float\(\)/
    assert type(beam, :inputs) =~ "[message: String.t(), limit: integer() | nil]"
    assert type(beam, :inputs) =~ "%{:message => String.t(), optional(:limit) => integer() | nil}"
    hidden = Path.join(directory, "Elixir.DSPex.DefineTest.Documented.Hidden.beam")
    assert {:docs_v1, _, _, _, :hidden, _, _} = docs(hidden)
  end

  test "a faulty definition is a CompileError at its line" do
    for {definition, words} <- [
          {~s|X, "a -> b: strng"|, "unknown type `strng` of field `b`"},
          {~s|X, "a, b"|, "no `->`"},
          {~s|X, "a -> a"|, "`a` is there twice"},
          {~s|X, "a -> b", module: :chain_of_thougt|, "module kind :chain_of_thougt"},
          {~s|X, "a -> b", module: :refine|, "module kind :refine"},
          {~s|X, "a -> b", docs: "x"|, "key :docs"},
          {~s|X, "a -> b", doc: 3|, "doc 3"},
          {~s|X, text()|, "signature text()"},
          {~s|X, "a -> b", options()|, "options options()"}
        ] do
      source = "use DSPex\n\ndefdspy #{definition}\n"
      error = assert_raise CompileError, fn -> Code.compile_string(source, "lib/mine.ex") end
      assert {error.file, error.line} == {"lib/mine.ex", 3}
      assert error.description =~ "defdspy: "
      assert error.description =~ words
    end
  end

  # Scripts are compiled without documentation and types while Mix tests.
  defp compile(file, directory) do
    options = for key <- [:docs, :debug_info], do: {key, Code.get_compiler_option(key)}
    for {key, _} <- options, do: Code.put_compiler_option(key, true)
    {:ok, modules, []} = Kernel.ParallelCompiler.compile_to_path([file], directory)
    for {key, value} <- options, do: Code.put_compiler_option(key, value)
    modules
  end

  defp docs(beam) do
    {:ok, {_, [{'Docs', chunk}]}} = :beam_lib.chunks(String.to_charlist(beam), ['Docs'])
    :erlang.binary_to_term(chunk)
  end

  defp type(beam, name) do
    {:ok, types} = Code.Typespec.fetch_types(File.read!(beam))
    {_, type} = Enum.find(types, fn {_, {found, _, _}} -> found == name end)
    type |> Code.Typespec.type_to_quoted() |> Macro.to_string() |> String.replace(~r/\s+/, " ")
  end
end
