Code.require_file("model.exs", __DIR__)

defmodule DSPex.DspyTest do
  # DSPex with a Python worker that has DSPy: the language model, tools and metrics are functions
  # here. One worker serves all tests; each has a session of its own.
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog

  alias DSPex.{Prediction, TestModel}
  alias SnakepitBridge.API.{Frameworks, Sessions, State, Tools}
  alias SnakepitBridge.Error

  defmodule Programs do
    use DSPex

    defdspy Triage, "message -> label: Literal['urgent', 'routine'], score: int",
      module: :chain_of_thought,
      lm: DSPex.lm(:host, "model")
  end

  alias Programs.Triage

  @platform DSPex.DspyTest.Platform
  @train [
    [message: "The server is down!", label: "urgent"],
    [message: "Please send the invoice.", label: "routine"],
    [message: "There is smoke in the lab!", label: "urgent"],
    [message: "The meeting is on Monday.", label: "routine"]
  ]
  @validation [
    [message: "The disk is full!", label: "urgent"],
    [message: "New chairs have come.", label: "routine"]
  ]

  setup_all do
    python = System.get_env("SPB_PYTHON") || Path.expand("../../../../.venv/bin/python", __DIR__)
    pool = %{workers: 1, calls_per_worker: 8, python: python, frameworks: %{dspy: %{}}}
    config = %{pools: %{default: pool}}
    start_supervised!({SnakepitBridge.Supervisor, name: @platform, config: config, logs: false})
    :ok = Frameworks.await_ready(@platform, "default", 0, 60_000)
  end

  setup do
    session = Sessions.open!(platform: @platform)
    on_exit(fn -> Sessions.close(session) end)
    {:ok, session: session, lm: DSPex.lm(:host, "model", model: "small")}
  end

  test "predict answers with types, usage and history", %{session: session, lm: lm} do
    TestModel.serve(session, fn _prompt, "count" -> "42" end)
    options = [lm: lm, history: true, config: [temperature: 0.25], timeout: 30_000]

    assert {:ok, %Prediction{} = prediction} =
             DSPex.predict(session, "question -> count: int", [question: "How many?"], options)

    assert prediction[:count] === 42
    assert prediction.lm_calls == 1
    assert prediction.usage["total_tokens"] == 12
    assert prediction.usage_by_model["small"]["total_tokens"] == 12
    assert [%{"settings" => %{"temperature" => 0.25}}] = prediction.history
    assert prediction.trajectory == nil
  end

  test "chain_of_thought reasons, with the configured model", %{session: session} do
    TestModel.serve(session, fn
      _prompt, "reasoning" -> "It is an island."
      _prompt, "answer" -> "By ferry."
    end)

    Application.put_env(:snakepit_bridge, DSPex, lm: [:host, "model"])
    on_exit(fn -> Application.delete_env(:snakepit_bridge, DSPex) end)
    signature = DSPex.Signature.parse!("question -> answer")
    prediction = DSPex.chain_of_thought!(session, signature, %{"question" => "How?"})
    assert prediction.outputs == %{"reasoning" => "It is an island.", "answer" => "By ferry."}
  end

  test "react uses a function of Elixir and streams its answer", %{session: session, lm: lm} do
    serve_agent(session)
    test = self()

    Tools.register!(session, "lookup", fn %{"port" => port} ->
      send(test, {:looked_up, port})
      %{departs: "07:40"}
    end)

    events =
      session
      |> DSPex.stream_react("question -> answer", [question: "When?"], ["lookup"],
        lm: lm,
        max_iters: 3
      )
      |> Enum.to_list()

    assert_received {:looked_up, "Skellig"}
    assert {:result, %Prediction{} = prediction} = List.last(events)
    assert tokens(events, "answer") == "It leaves at 07:40."
    assert prediction[:answer] == "It leaves at 07:40."

    assert [%{"tool" => "lookup", "arguments" => %{"port" => "Skellig"}} | _] =
             prediction.trajectory

    assert {:chunk, %{"type" => "status", "tool" => "lookup"}} = Enum.find(events, &status?/1)
  end

  test "a tool that raises is an observation of the agent", %{session: session, lm: lm} do
    serve_agent(session)
    Tools.register!(session, "lookup", fn _arguments -> raise "the sea took the timetable" end)

    log =
      capture_log(fn ->
        prediction =
          DSPex.react!(session, "question -> answer", [question: "When?"], ["lookup"], lm: lm)

        assert prediction[:answer] == "Nobody knows."
        assert [%{"observation" => observation} | _] = prediction.trajectory
        assert observation =~ "the sea took the timetable"
      end)

    assert log =~ "the sea took the timetable"
  end

  test "a stream that is left early leaves the worker free", %{session: session, lm: lm} do
    TestModel.serve(session, fn _prompt, _field -> String.duplicate("word ", 200) end)
    stream = DSPex.stream_predict(session, "question -> answer", [question: "?"], lm: lm)
    assert [{:chunk, %{"type" => "token", "field" => "answer"}}] = Enum.take(stream, 1)
    assert {:ok, _prediction} = DSPex.predict(session, "q -> answer", [q: "?"], lm: lm)
  end

  test "a program is kept, described, run by name and version", %{session: session, lm: lm} do
    TestModel.serve(session, fn
      %{system: system}, "label" -> if(system =~ "Be strict", do: "urgent", else: "routine")
      _prompt, "reasoning" -> "So it seems."
    end)

    program = DSPex.program(:chain_of_thought, "message -> label", lm: lm)
    assert {:ok, 1} = DSPex.put_program(session, "triage", program)
    strict = Map.put(program, :instructions, "Be strict.")
    {:ok, 2} = State.set(session, "triage", strict)

    newest = DSPex.run!(session, "triage", message: "Hello")
    assert newest[:label] == "urgent"
    assert newest.program == %{"variable" => "triage", "version" => 2}
    assert DSPex.run!(session, {"triage", 1}, message: "Hello")[:label] == "routine"

    assert %{"inputs" => [%{"name" => "message"}]} = DSPex.describe!(session, "triage")
    assert %{"valid" => true} = DSPex.check!(session, "triage")
    faulty = %{module: "predict", signature: "message -> label: strng"}
    assert %{"valid" => false, "place" => place} = DSPex.check!(session, faulty)
    assert place =~ "signature"

    state = DSPex.save_state!(session, "triage")
    assert is_map(state)
    assert %{"variable" => "triage", "version" => 3} = DSPex.load_state!(session, "triage", state)
  end

  test "optimize goes by a function of Elixir", %{session: session, lm: lm} do
    serve_triage(session)
    DSPex.put_program(session, "triage", DSPex.program(:chain_of_thought, "message -> label"))
    options = [lm: lm, data: [train: @train, validation: @validation], metric: &same_label/2]

    assert {:ok, result} = DSPex.optimize(session, "triage", :BootstrapFewShot, options)
    assert {result["before"], result["after"]} == {50.0, 100.0}
    assert result["program"] == %{"variable" => "triage", "version" => 2}
    prediction = DSPex.run!(session, "triage", [message: "Fire!"], lm: lm)
    assert prediction[:label] == "urgent"
    refute metric_registered?(session)

    events = Enum.to_list(DSPex.stream_optimize(session, "triage", "BootstrapFewShot", options))
    assert {:result, %{"after" => 100.0}} = List.last(events)
    assert [{:chunk, %{"type" => "progress", "phase" => _}} | _] = events
    refute metric_registered?(session)
  end

  test "a metric that raises ends the call with its message", %{session: session, lm: lm} do
    serve_triage(session)
    program = DSPex.program(:predict, "message -> label")
    metric = fn _asked -> raise ArgumentError, "no such scale" end

    capture_log(fn ->
      assert {:error, %Error{status: :tool_failed} = error} =
               DSPex.evaluate(session, program, @train, metric, lm: lm)

      assert error.message =~ "no such scale"

      assert {:ok, %{"score" => 50.0, "count" => 4}} =
               DSPex.evaluate(session, program, @train, {metric, on_error: %{score: 0.5}}, lm: lm)
    end)

    refute metric_registered?(session)
  end

  test "evaluate and batch", %{session: session, lm: lm} do
    serve_triage(session)
    program = DSPex.program(:predict, "message -> label", lm: lm)
    metric = {:exact_match, field: "label"}
    assert %{"score" => 50.0} = DSPex.evaluate!(session, program, @train, metric)

    events = Enum.to_list(DSPex.stream_evaluate(session, program, @train, &same_label/2))
    assert {:result, %{"score" => 50.0}} = List.last(events)
    assert Enum.any?(events, &match?({:chunk, %{"type" => "progress", "total" => 4}}, &1))

    inputs = [[message: "a"], %{message: "b"}, %{"wrong" => "c"}]
    assert %{"errors" => 1, "results" => results} = DSPex.batch!(session, program, inputs)
    assert [%{"outputs" => _}, %{"outputs" => _}, %{"error" => %{"status" => _}}] = results
  end

  test "a module of a signature answers with its struct", %{session: session} do
    TestModel.serve(session, fn
      _prompt, "reasoning" -> "It is loud."
      %{system: system}, "label" -> if(system =~ "calm", do: "routine", else: "urgent")
      _prompt, "score" -> "7"
    end)

    assert {:ok, %Triage{label: "urgent", score: 7} = triage} = Triage.call(session, message: "!")
    assert triage.prediction[:reasoning] == "It is loud."
    assert triage.prediction.program == nil

    events = Enum.to_list(Triage.stream(session, %{message: "!"}))
    assert {:result, %Triage{label: "urgent"}} = List.last(events)
    assert tokens(events, "reasoning") == "It is loud."

    calm = Map.put(Triage.program(), :instructions, "Stay calm.")
    DSPex.put_program!(session, "calm", calm)
    kept = Triage.call!(session, [message: "!"], program: "calm")
    assert kept.label == "routine"
    assert kept.prediction.program == %{"variable" => "calm", "version" => 1}
  end

  test "a language model is asked itself", %{session: session, lm: lm} do
    Tools.register!(session, "model", fn %{"messages" => messages} ->
      "You said: " <> List.last(messages)["content"]
    end)

    assert [%{"content" => "You said: hello"}] = DSPex.ask!(session, "hello", lm: lm)
    messages = [%{role: "user", content: "a"}]
    assert {:ok, [_, _]} = DSPex.ask(session, messages, lm: lm, n: 2)
  end

  test "what optimizers there are", %{session: session} do
    assert {:ok, optimizers} = DSPex.optimizers(session)
    assert "MIPROv2" in Enum.map(optimizers, & &1["name"])
  end

  test "failures have their status and their place", %{session: session, lm: lm} do
    ask = fn signature, inputs, options -> DSPex.predict(session, signature, inputs, options) end
    Tools.register!(session, "model", fn _request -> "no fields at all" end)

    Tools.register!(session, "broke", fn _request ->
      {:error, status: :busy, message: "too many asked", details: %{queue: 7}}
    end)

    assert {:error, %Error{status: :invalid_argument, message: message}} =
             ask.("a -> b", [a: 1], lm: lm, temprature: 1)

    assert message =~ "temprature"

    assert {:error, %Error{status: :invalid_argument, message: message}} =
             ask.("a -> b: strng", [a: 1], lm: lm)

    assert message =~ "strng"
    assert {:error, %Error{status: :invalid_argument}} = ask.("a -> b", [c: 1], lm: lm)

    assert {:error, %Error{status: :tool_failed} = error} = ask.("a -> b: int", [a: "?"], lm: lm)
    assert error.details["reason"] == "unreadable_answer"

    assert {:error, %Error{status: :busy} = error} =
             ask.("a -> b", [a: "?"], lm: DSPex.lm(:host, "broke"))

    assert error.message =~ "too many asked"
    assert error.details["queue"] == 7

    assert_raise Error, ~r/too many asked/, fn ->
      DSPex.predict!(session, "a -> b", [a: "?"], lm: DSPex.lm(:host, "broke"))
    end

    assert {:error, %Error{status: :not_found}} = DSPex.run(session, "nowhere", [a: 1], lm: lm)
  end

  # ---- Models --------------------------------------------------------------------------------

  # Looks up Skellig once, then answers with what it has seen.
  defp serve_agent(session) do
    TestModel.serve(session, fn prompt, field ->
      seen? = prompt.last =~ "observation_0"

      case field do
        "next_thought" -> "I think."
        "next_tool_name" -> if seen?, do: "finish", else: "lookup"
        "next_tool_args" -> if seen?, do: "{}", else: ~s({"port": "Skellig"})
        "reasoning" -> "I looked it up."
        "answer" -> if prompt.last =~ "07:40", do: "It leaves at 07:40.", else: "Nobody knows."
      end
    end)
  end

  # Takes everything for routine until it is shown an example of something urgent.
  defp serve_triage(session) do
    TestModel.serve(session, fn
      prompt, "label" ->
        [_, message] = Regex.run(~r/\[\[ ## message ## \]\](.*?)(?:\[\[|\z)/s, prompt.last)
        shown? = prompt.conversation =~ "urgent"
        if shown? and message =~ "!", do: "urgent", else: "routine"

      _prompt, "reasoning" ->
        "So it seems."
    end)
  end

  defp same_label(example, prediction) do
    if example["label"] == prediction["label"], do: 1, else: 0
  end

  defp metric_registered?(session) do
    {:ok, tools} = Tools.list(session)
    Enum.any?(tools, &String.starts_with?(&1["name"], "dspex_metric"))
  end

  defp tokens(events, field) do
    for {:chunk, %{"type" => "token", "field" => ^field, "text" => text}} <- events,
        into: "",
        do: text
  end

  defp status?({:chunk, %{"type" => "status"}}), do: true
  defp status?(_event), do: false
end
