# The help desk of an island ferry: an agent of DSPy that asks this program.
#
# The language model, the timetable and the judge of answers are functions below; Python runs the
# agent and calls them. Run it with `mix run examples/desk.exs`. With SPB_DEMO_LM set to a model of
# a provider, as openai/gpt-4o-mini, that one answers in place of the stand-in.

defmodule Desk.Model do
  # A stand-in for a language model, in the place where a program would ask a provider. It gets the
  # messages of a chat and answers text, piece by piece if the request asks for that.

  alias SnakepitBridge.API.Tools

  def answer(%{"messages" => [%{"content" => system} | _] = messages} = request, invocation) do
    last = List.last(messages)["content"]

    text =
      cond do
        # The agent asks what to do next; later it asks for the answer; programs ask for a label.
        system =~ "next_tool_name" -> next_step(last)
        system =~ "`answer`" -> final_answer(last)
        true -> label(messages, last)
      end

    if request["stream"] do
      # Whoever reads the answer sets the pace: emitting waits when the reader is behind.
      for piece <- String.split(text, ~r/(?<= )/), do: :ok = Tools.emit(invocation, piece)
      nil
    else
      text
    end
  end

  defp next_step(last) do
    if last =~ "observation_0" do
      fields(next_thought: "That is all I need.", next_tool_name: "finish", next_tool_args: "{}")
    else
      fields(
        next_thought: "I look up #{port(last)}.",
        next_tool_name: "lookup",
        next_tool_args: ~s({"port": "#{port(last)}"})
      )
    end
  end

  defp final_answer(last) do
    answer =
      case Regex.run(~r/departs.*?(\d\d:\d\d)/s, last) do
        [_, time] -> "The ferry to #{port(last)} leaves at #{time}."
        nil -> "No ferry goes to #{port(last)}."
      end

    fields(reasoning: "I looked it up.", answer: answer)
  end

  # Everything is routine until the prompt shows an example of something urgent.
  defp label(messages, last) do
    shown? = Enum.any?(messages, &(&1["role"] == "assistant" and &1["content"] =~ "urgent"))
    [_, message] = Regex.run(~r/\[\[ ## message ## \]\](.*?)(?:\[\[|\z)/s, last)

    if shown? and message =~ "!",
      do: fields(reasoning: "It ends as the urgent ones do.", label: "urgent"),
      else: fields(reasoning: "It can wait.", label: "routine")
  end

  defp port(last), do: ~r/ferry to (\w+) leave/ |> Regex.run(last) |> List.last()

  # How DSPy wants fields to be written.
  defp fields(fields) do
    Enum.map_join(fields, &"[[ ## #{elem(&1, 0)} ## ]]\n#{elem(&1, 1)}\n\n") <>
      "[[ ## completed ## ]]\n"
  end
end

defmodule Desk do
  # The program: a platform, tools, a variable, an agent, and a program that gets better.

  use DSPex

  alias SnakepitBridge.API.{Sessions, State, Tools}

  # A module with a struct, made of a signature of DSPy's when this file is compiled.
  defdspy Triage, "message -> label", module: :chain_of_thought

  @timetable %{"Skellig" => "07:40", "Aran" => "09:15", "Blasket" => "11:05"}

  @train [
    [message: "The server is down!", label: "urgent"],
    [message: "Please send the invoice.", label: "routine"],
    [message: "There is smoke in the lab!", label: "urgent"],
    [message: "The meeting is on Monday.", label: "routine"]
  ]
  @validation [
    [message: "The disk is full!", label: "urgent"],
    [message: "New chairs have come.", label: "routine"],
    [message: "The door does not lock!", label: "urgent"],
    [message: "Thanks for the cake.", label: "routine"]
  ]

  def run do
    # In an application this is a child of its supervisor: {SnakepitBridge.Supervisor, name: …}.
    # Python's log goes to Logger; here only its errors, since Logger writes to the screen, too.
    platform = [name: Desk.Bridge, config: config(), logs: :error]
    {:ok, bridge} = SnakepitBridge.Supervisor.start_link(platform)

    # Tools, variables and calls belong to a session, which is closed when the function is done.
    Sessions.with_session([platform: Desk.Bridge], &serve/1)
    Supervisor.stop(bridge)
  end

  defp serve(session) do
    {:ok, _} = Tools.register(session, "model", &Desk.Model.answer/2, idempotent: true)
    {:ok, _} = Tools.register(session, "lookup", &lookup/1, lookup_options())
    {:ok, _} = State.register(session, "answered", :integer, 0, constraints: %{min: 0})

    ask(session, "When does the ferry to Skellig leave?")
    ask(session, "When does the ferry to Avalon leave?")

    # A program is data in a variable: any worker runs it, an optimizer writes a new version.
    {:ok, 1} = DSPex.put_program(session, "triage", Triage)
    IO.puts("\n> The cellar is under water!")
    triage(session, "The cellar is under water!")
    improve(session)
    triage(session, "The cellar is under water!")

    IO.puts("Answered: #{State.get!(session, "answered")}.")
  end

  # The answer is written while it comes; before that the agent uses its tool.
  defp ask(session, question) do
    IO.puts("\n> #{question}")

    session
    |> DSPex.stream_react("question -> answer", %{question: question}, ["lookup"],
      lm: lm(),
      max_iters: 4
    )
    |> Enum.reduce("  ", &show/2)

    {:ok, _count} = State.update(session, "answered", %{add: 1})
  end

  defp show({:chunk, %{"type" => "token", "field" => "answer", "text" => text}}, indent) do
    IO.write(indent <> text)
    ""
  end

  defp show({:chunk, _other}, indent), do: indent
  defp show({:result, _prediction}, _indent), do: IO.puts("")
  defp show({:error, error}, _indent), do: raise(error)

  # A tool: it gets the arguments, which Python's side has checked against the schema.
  defp lookup(%{"port" => port}) do
    case @timetable do
      %{^port => time} ->
        IO.puts(~s(  lookup {"port":"#{port}"} gives #{time}))
        %{port: port, departs: time}

      _ ->
        reason = "no ferry goes to #{port}"
        IO.puts(~s(  lookup {"port":"#{port}"} fails: #{reason}))
        {:error, status: :not_found, message: reason}
    end
  end

  defp lookup_options do
    text = %{type: "string"}

    [
      description: "When the ferry to a port departs.",
      input_schema: %{type: "object", properties: %{port: text}, required: ["port"]},
      output_schema: %{
        type: "object",
        properties: %{port: text, departs: text},
        required: ["port", "departs"]
      }
    ]
  end

  defp triage(session, message) do
    triage = Triage.call!(session, [message: message], program: "triage", lm: lm())
    IO.puts("  #{triage.label} (version #{triage.prediction.program["version"]})")
  end

  # BootstrapFewShot looks for examples that help; the function judges what comes of them.
  defp improve(session) do
    judge = fn example, prediction ->
      if example["label"] == prediction["label"], do: 1, else: 0
    end

    data = [train: @train, validation: @validation]
    options = [lm: lm(), data: data, metric: judge]
    result = DSPex.optimize!(session, "triage", :BootstrapFewShot, options)
    IO.puts("The score rose from #{round(result["before"])} to #{round(result["after"])}.")
  end

  defp lm do
    case System.get_env("SPB_DEMO_LM") do
      nil -> DSPex.lm(:host, "model")
      model -> DSPex.lm(model)
    end
  end

  # SPB_PYTHON and SPB_GUARD name interpreter and guard, if they are not where the library looks.
  defp config do
    keys = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"]
    passed = if System.get_env("SPB_DEMO_LM"), do: keys, else: []
    %{pools: %{default: %{workers: 1, env_pass: passed, frameworks: %{dspy: %{}}}}}
  end
end

Desk.run()
