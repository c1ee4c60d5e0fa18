defmodule DSPex.DocumentsTest do
  # Documents of language models and programs, and how predictions are read. Needs no platform.
  use ExUnit.Case, async: true

  alias DSPex.Prediction
  alias DSPex.Program

  test "language models of each kind" do
    assert DSPex.lm(:host, "model") == %{kind: "host_tool", tool: "model"}
    assert DSPex.lm(:host, :model, temperature: 0.2, supports: ["tools"])[:temperature] == 0.2

    assert DSPex.lm("openai/gpt-4o-mini", api_key_env: "KEY", cache: true) ==
             %{kind: "litellm", model: "openai/gpt-4o-mini", api_key_env: "KEY", cache: true}

    assert DSPex.lm(:transformers, "chat", max_tokens: 3) ==
             %{kind: "transformers", model: "chat", max_tokens: 3}
  end

  test "settings and names that make no sense are refused" do
    for {call, words} <- [
          {fn -> DSPex.lm(:host, "m", api_key_env: "K") end, ~r/:api_key_env.*host_tool/},
          {fn -> DSPex.lm("openai/x", api_key: "secret") end, ~r/:api_key of .*:api_key_env/},
          {fn -> DSPex.lm(:transformers, "m", timeout_ms: 1) end, ~r/:timeout_ms/},
          {fn -> DSPex.lm("gpt-4o-mini") end, ~r/provider\/model/},
          {fn -> DSPex.lm(:host, nil) end, ~r/name of a language model nil/},
          {fn -> DSPex.lm(:host) end, ~r/name of a language model/},
          {fn -> DSPex.lm(:ollama, "m") end, ~r/kind :ollama/},
          {fn -> DSPex.lm(:host, "m", %{model: "x"}) end, ~r/expected a keyword list/}
        ] do
      assert_raise ArgumentError, words, call
    end
  end

  test "a refused setting does not show its value" do
    error = catch_error(DSPex.lm("openai/x", api_key: "sk-secret"))
    refute Exception.message(error) =~ "sk-secret"
  end

  test "program documents" do
    assert DSPex.program(:react, "q -> a", tools: ["lookup"], options: [max_iters: 4], lm: nil) ==
             %{
               module: "react",
               signature: "q -> a",
               tools: ["lookup"],
               options: %{max_iters: 4}
             }

    signature = DSPex.Signature.parse!("q -> a")
    assert DSPex.program(:predict, signature).signature == "q -> a"

    refine = [programs: [module: DSPex.program(:predict, "q -> a")], options: [n: 2]]
    assert %{module: "refine", programs: %{module: %{}}} = DSPex.program(:refine, nil, refine)

    assert_raise ArgumentError, ~r/kind :predictt/, fn -> DSPex.program(:predictt, "q -> a") end
    assert_raise ArgumentError, ~r/key :tool /, fn -> DSPex.program(:react, "q -> a", tool: 1) end
  end

  test "programs by name, version, document and module" do
    assert Program.reference("triage") == "triage"
    assert Program.reference({"triage", 3}) == %{variable: "triage", version: 3}
    assert Program.reference(%{"module" => "predict"}) == %{"module" => "predict"}
    assert_raise ArgumentError, ~r/expected a name or a module/, fn -> Program.reference(Enum) end

    assert Program.without_lm?(%{"module" => "predict"})
    refute Program.without_lm?(DSPex.program(:predict, "q -> a", lm: DSPex.lm(:host, "m")))
    refute Program.without_lm?(Program.reference({"triage", 3}))
    refute Program.without_lm?("triage")
  end

  test "keyword lists are objects at any depth, other lists are lists" do
    assert DSPex.Call.plain(train: [[a: 1], [a: [2, 3]]], none: []) ==
             %{train: [%{a: 1}, %{a: [2, 3]}], none: []}

    assert DSPex.Call.plain(%{"a" => [b: ["c", :d]]}) == %{"a" => %{b: ["c", :d]}}
  end

  test "a prediction is read by field" do
    prediction =
      Prediction.new(%{"outputs" => %{"label" => "urgent"}, "lm_calls" => 2, "later" => true})

    assert prediction[:label] == "urgent"
    assert prediction["label"] == "urgent"
    assert prediction[:other] == nil
    assert prediction.lm_calls == 2
    assert put_in(prediction["label"], "routine")[:label] == "routine"
    assert {"urgent", %Prediction{outputs: %{}}} = pop_in(prediction[:label])
  end
end
